const { fetch: send } = globalThis;

let requests = 0;

async function countedFetch(...args: Parameters<typeof fetch>): Promise<Response> {
  requests++;
  return await send(...args);
}

/** Counts what this process sends with `fetch` from now on. The answer tells the number so far. */
export function countRequests(): () => number {
  globalThis.fetch = countedFetch;
  return () => requests;
}
