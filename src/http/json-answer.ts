import type { JsonPieces } from '../core/json/json-text.ts';
import { searchOf } from './query.ts';

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

/**
 * The body of an answer: a text if it came in one piece, otherwise a stream that produces the pieces as the
 * client reads. If producing fails, the stream breaks off. The client notices, because the answer has no length
 * and its end is missing.
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
