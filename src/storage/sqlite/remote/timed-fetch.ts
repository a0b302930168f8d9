/** Equal to the engine's own limit for a write, ms. */
export const ANSWER_WITHIN_MS = 15_000;

/**
 * A `fetch` for the database client. It aborts a request whose answer, including the body, does not arrive in
 * time, and closes the connection. The engine has its own timeout; this one frees the resources. Aborting `late` ends the
 * request before.
 *
 * Unless `compression` is true, it asks for answers without compression: libsql-server compresses slowly, and
 * an answer of 1 MB takes up to fifty times as long.
 */
export function timedFetch({ compression }: { readonly compression: boolean }) {
  return async (request: Request, late = new AbortController()): Promise<Response> => {
    const timer = setTimeout(
      () => late.abort(new Error(`the database has not answered within ${ANSWER_WITHIN_MS} ms`)),
      ANSWER_WITHIN_MS,
    );
    const end = () => clearTimeout(timer);
    try {
      if (!compression) request.headers.set('accept-encoding', 'identity');
      const response = await fetch(request, { signal: late.signal });
      if (response.ok) return untilRead(response, end);
      const { status, headers } = response;
      const body = await response.arrayBuffer();
      end();
      // A status without a body accepts none.
      return new Response(body.byteLength === 0 ? null : body, { status, headers });
    } catch (error) {
      end();
      throw error;
    }
  };
}

/** The answer, which calls back when its reader has the body. Reading it here first would copy it twice. */
function untilRead(response: Response, end: () => void): Response {
  const timed = <T>(read: () => Promise<T>) => ({ value: () => read.call(response).finally(end) });
  return Object.defineProperties(response, {
    json: timed(response.json),
    text: timed(response.text),
    arrayBuffer: timed(response.arrayBuffer),
  });
}
