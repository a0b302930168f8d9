import type { Operation } from './operation.ts';
import { operations } from './operations/index.ts';
import { RequestError } from './problem.ts';

/** Operations by path, then by method. */
export const routes: ReadonlyMap<string, ReadonlyMap<string, Operation>> = (() => {
  const byPath = new Map<string, Map<string, Operation>>();
  for (const operation of operations) {
    const byMethod = byPath.get(operation.path) ?? new Map<string, Operation>();
    byPath.set(operation.path, byMethod.set(operation.method, operation));
  }
  return byPath;
})();

/**
 * Finds the operation for a request's path below `basePath` and its method. HEAD uses the operation of GET.
 *
 * @throws {RequestError} for an unknown path, and for a method that the path does not have.
 */
export function selectOperation(request: Request, basePath: string): Operation {
  const pathname = pathOf(request.url);
  const base = normalizeBasePath(basePath);
  const byMethod = pathname.startsWith(base) ? routes.get(pathname.slice(base.length)) : undefined;
  if (byMethod === undefined) throw unknownPath(pathname);
  const operation = byMethod.get(request.method === 'HEAD' ? 'GET' : request.method);
  if (operation === undefined) throw wrongMethod(request.method, byMethod.keys());
  return operation;
}

/** The path of a request's URL. Such a URL is in its normal form, so it need not be parsed. */
function pathOf(url: string): string {
  return /^[^:]*:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] || '/';
}

/** Normalizes a base path: a slash before it and none after it. Empty for the root. */
export function normalizeBasePath(basePath: string): string {
  const inner = basePath.replace(/^\/+|\/+$/g, '');
  return inner === '' ? '' : `/${inner}`;
}

/** Whether routers read the path literally: it contains only letters, digits, `.`, `_`, `~`, `-` and slashes. */
export function isPlainPath(path: string): boolean {
  return /^(\/(?!\.\.?(\/|$))[\w.~-]+)*\/?$/.test(path);
}

/** The paths beside the operations that the service has. */
const OWN_PATHS = ['/healthz', '/readyz', '/metrics', '/openapi.json', '/dashboard'];

/** The path of the service at or below which a base path is: operations there would hide it, or be hidden. */
export function takenPath(basePath: string): string | undefined {
  const normal = normalizeBasePath(basePath);
  return OWN_PATHS.find((path) => normal === path || normal.startsWith(`${path}/`));
}

/** The refusal of a path that has no operation. */
export function unknownPath(pathname: string): RequestError {
  return new RequestError('NOT_FOUND', `Nothing is at ${pathname}`);
}

/** The refusal of a method that the path does not have. */
export function wrongMethod(method: string, known: Iterable<string>): RequestError {
  const allow = [...known].flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name])).join(', ');
  return new RequestError('METHOD_NOT_ALLOWED', `${method} is not allowed here, only ${allow}`, { allow });
}
