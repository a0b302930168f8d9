/** By its tag: servers replace the global class, and `fetch` answers with one of its own. */
export function isResponse(value: unknown): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]';
}

/** Makes a good answer, from a text or a stream. */
export type AnswerMaker = (
  body: string | ReadableStream<Uint8Array>,
  headers: Readonly<Record<string, string>>,
) => Response;
