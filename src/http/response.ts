/** By its tag: servers replace the global class, and `fetch` answers with one of its own. */
export function isResponse(value: unknown): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]';
}

/** Makes a good answer, from a text or a stream. */
export type AnswerMaker = (
  body: string | ReadableStream<Uint8Array>,
  headers: Readonly<Record<string, string>>,
) => Response;

/** Answers of which nobody knows how long they are before they end. */
const streamed = new WeakSet<Response>();

/** Marks an answer as one whose length is not known before its end. */
export function asStreamed(response: Response): Response {
  streamed.add(response);
  return response;
}

/**
 * The answer to HEAD: what GET is answered with, without the body, and with the
 * length that it has there (RFC 9110, 9.3.2). Streams have none.
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
