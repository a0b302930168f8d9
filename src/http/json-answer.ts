import type { JsonPieces } from '../core/json/json-text.ts';
import { searchOf } from './query.ts';
import type { AnswerBody } from './response.ts';

/** The answer of an operation that produces its own JSON text, which may be long. */
export class JsonAnswer {
  readonly pieces: JsonPieces;
  /** For a page of a list: the cursor of the next page. */
  readonly nextCursor: string | null;

  constructor(pieces: JsonPieces, { nextCursor = null }: { readonly nextCursor?: string | null } = {}) {
    this.pieces = pieces;
    this.nextCursor = nextCursor;
  }
}

const encoder = new TextEncoder();

/** An answer up to this length is sent whole: a portion of a list, or a value of that size, and what surrounds it. */
const WHOLE_CHARS = 1.25 * 1024 * 1024;
/** Of UTF-8, for each unit of UTF-16. */
const MAX_BYTES_PER_CHAR = 3;

/**
 * The body of an answer. A short one is sent whole, because each piece of a stream costs both sides as much as
 * hundreds of kilobytes. A longer one is a stream that produces the pieces as the client reads. If producing
 * fails, the stream breaks off. The client notices, because the answer has no length and its end is missing.
 */
export async function bodyOf(pieces: JsonPieces, report: (error: unknown) => void): Promise<AnswerBody> {
  const iterator = pieces[Symbol.asyncIterator]();
  const ready: string[] = [];
  for (let chars = 0; chars <= WHOLE_CHARS; ) {
    const text = await nextOf(iterator);
    if (text === undefined) return wholeOf(ready);
    ready.push(text);
    chars += text.length;
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const text = ready.shift() ?? (await nextOf(iterator));
          if (text === undefined) controller.close();
          else controller.enqueue(encoder.encode(text));
        } catch (error) {
          report(error);
          controller.error(new Error('the answer broke off'));
        }
      },
      cancel: async () => void (await iterator.return?.()),
    },
    { highWaterMark: 0 },
  );
}

/**
 * Several pieces are written into one array. Joining long texts first would take twice as long, and arrays of
 * their own would be copied once more.
 */
function wholeOf(pieces: readonly string[]): string | Uint8Array<ArrayBuffer> {
  const [only = ''] = pieces;
  if (pieces.length <= 1) return only;
  let charsLeft = pieces.reduce((chars, { length }) => chars + length, 0);
  // Enough for ASCII.
  let bytes = new Uint8Array(charsLeft);
  let end = 0;
  for (const piece of pieces) {
    for (let text = piece; text !== ''; ) {
      const { read, written } = encoder.encodeInto(text, bytes.subarray(end));
      end += written;
      charsLeft -= read;
      text = text.slice(read);
      if (text === '') continue;
      const larger = new Uint8Array(end + charsLeft * MAX_BYTES_PER_CHAR);
      larger.set(bytes.subarray(0, end));
      bytes = larger;
    }
  }
  return bytes.subarray(0, end);
}

async function nextOf(iterator: AsyncIterator<string>): Promise<string | undefined> {
  const { done, value } = await iterator.next();
  return done ? undefined : value;
}

/**
 * A `Link` header to the next page (RFC 8288). The URL is relative, because a proxy may serve the route at
 * another address.
 */
export function linkToNext(url: string, cursor: string): string {
  const query = new URLSearchParams(searchOf(url));
  query.delete('offset');
  query.set('cursor', cursor);
  return `<?${query}>; rel="next"`;
}
