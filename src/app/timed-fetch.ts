/** As long as the engine waits for an answer, ms. */
const ANSWER_WITHIN_MS = 5_000;

/**
 * `fetch` for a database client: an answer, its body included, that has not
 * come in time is given up, and its connection closed. The engine stops
 * waiting by itself; this frees what it waited for.
 */
export async function timedFetch(request: Request): Promise<Response> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new Error(`the database has not answered within ${ANSWER_WITHIN_MS} ms`)),
    ANSWER_WITHIN_MS,
  );
  try {
    const response = await fetch(request, { signal: late.signal });
    const { status, headers } = response;
    const body = await response.arrayBuffer();
    // Statuses without a body must be given none.
    return new Response(body.byteLength === 0 ? null : body, { status, headers });
  } finally {
    clearTimeout(timer);
  }
}
