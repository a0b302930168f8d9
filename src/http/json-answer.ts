import type { JsonPieces } from '../core/json/json-text.ts';
import { searchOf } from './query.ts';

/** What an operation answers whose JSON text is made elsewhere, and may be long. */
export class JsonAnswer {
  readonly pieces: JsonPieces;
  /** Of a page of a list: the cursor of the page that follows. */
  readonly nextCursor: string | null;

  constructor(pieces: JsonPieces, { nextCursor = null }: { readonly nextCursor?: string | null } = {}) {
    this.pieces = pieces;
    this.nextCursor = nextCursor;
  }
}

const encoder = new TextEncoder();

/**
 * The body of an answer: a text if it came in one piece, else a stream that
 * makes its pieces as they are read. One that fails half-way breaks off, which
 * the client sees: the answer has no length, and its end is missing.
 */
export async function bodyOf(
  pieces: JsonPieces,
  report: (error: unknown) => void,
): Promise<string | ReadableStream<Uint8Array>> {
  const iterator = pieces[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return '';
  const second = await iterator.next();
  if (second.done) return first.value;
  const ready = [first.value, second.value];
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

async function nextOf(iterator: AsyncIterator<string>): Promise<string | undefined> {
  const { done, value } = await iterator.next();
  return done ? undefined : value;
}

/** The `Link` to the next page (RFC 8288), relative to the request: a proxy may have moved it. */
export function linkToNext(url: string, cursor: string): string {
  const query = new URLSearchParams(searchOf(url));
  query.delete('offset');
  query.set('cursor', cursor);
  return `<?${query}>; rel="next"`;
}
