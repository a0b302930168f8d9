/** Equal to the engine's own limit, ms. */
const ANSWER_WITHIN_MS = 5_000;

/**
 * A `fetch` for the database client. It aborts a request whose answer, including the body, does not arrive in
 * time, and closes the connection. The engine has its own timeout; this one frees the resources.
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
    // Some statuses must not have a body.
    return new Response(body.byteLength === 0 ? null : body, { status, headers });
  } finally {
    clearTimeout(timer);
  }
}
