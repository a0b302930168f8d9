/**
 * Checks the tag instead of `instanceof`: servers replace the global class, and `fetch` returns instances of
 * its own class.
 */
export function isResponse(value: unknown): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]';
}

/** The body of a successful answer: whole, or a stream whose length is unknown until it ends. */
export type AnswerBody = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

/** Creates a successful answer. */
export type AnswerMaker = (body: AnswerBody, headers: Readonly<Record<string, string>>) => Response;

/** Answers whose length is unknown until they end. */
const streamed = new WeakSet<Response>();

/** Marks an answer whose length is unknown until it ends. */
export function asStreamed(response: Response): Response {
  streamed.add(response);
  return response;
}

/**
 * The answer to HEAD: the answer to GET without its body, but with its Content-Length (RFC 9110, 9.3.2). A
 * stream has no length.
 */
export async function headOf(response: Response): Promise<Response> {
  const { status, body } = response;
  const headers = new Headers(response.headers);
  if (body !== null && streamed.has(response)) body.cancel().catch(() => {});
  else if (body !== null) headers.set('content-length', String(await lengthOf(body)));
  return new Response(null, { status, headers });
}

async function lengthOf(body: ReadableStream<Uint8Array>): Promise<number> {
  let length = 0;
  const reader = body.getReader();
  for (let part = await reader.read(); part.value !== undefined; part = await reader.read()) {
    length += part.value.byteLength;
  }
  return length;
}
