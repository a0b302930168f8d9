const ids = new WeakMap<Request, string>();

/** A framework that gave a request an id passes it on with this: errors are reported with it. */
export function handOnRequestId(request: Request, requestId: string): void {
  ids.set(request, requestId);
}

export function requestIdOf(request: Request): string | undefined {
  return ids.get(request);
}
