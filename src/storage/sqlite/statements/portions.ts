import { portionLength } from '../../../core/json/portions.ts';

/** A page reads so many rows at most. */
export const PAGE_ROWS = 100;

/**
 * A value up to this size comes with its page, so that a page of ordinary rows
 * is one statement. A larger one is read when its turn comes: what a page takes
 * in memory, and in one answer of a server, depends on no stored size.
 */
const INLINE_BYTES = 8 * 1024;

/** How much of a portion is passed on at a time, which bounds the memory of what is made of it, such as JSON. */
const SLICE_BYTES = 128 * 1024;

/** A row of a page. It came whole, or only its `Stub` is there and it is read when its turn comes. */
export type Listed<R, Stub = undefined> = WholeRow<R> | CutRow<Stub>;

interface Place {
  /** The key to read it whole by. */
  readonly key: number;
  /** The size of all its texts, whether they came with it or not. */
  readonly bytes: number;
}

interface WholeRow<R> extends Place {
  readonly isWhole: true;
  readonly row: R;
}

export interface CutRow<Stub> extends Place {
  readonly isWhole: false;
  readonly row: Stub;
}

/**
 * A page for a reader that may take long. Of the rows that came whole it keeps
 * as many as make a portion, all of a page of ordinary ones; of the others it
 * keeps what `cut` leaves.
 */
export function keepPortion<R, Stub>(
  page: readonly Listed<R, R>[],
  cut: (row: R) => Stub,
): Listed<R, Stub>[] {
  const kept = portionLength(page, ({ bytes, isWhole }) => (isWhole ? bytes : 0));
  return page.map((listed, i) =>
    listed.isWhole && i < kept ? listed : { ...listed, isWhole: false, row: cut(listed.row) },
  );
}

/**
 * The rows of a page, whole and in order, in slices of bounded size. The page is
 * emptied on the way: what was passed on is kept by nobody. A row that has been
 * deleted since the page was read is left out.
 */
export async function* inPortions<R, Stub>(
  page: Listed<R, Stub>[],
  readWhole: (cut: readonly CutRow<Stub>[]) => Promise<Map<number, R>>,
): AsyncGenerator<readonly R[]> {
  while (page.length > 0) {
    const portion = page.splice(0, portionLength(page, bytesOf));
    const cut = portion.filter((listed) => !listed.isWhole);
    const read = cut.length === 0 ? undefined : await readWhole(cut);
    while (portion.length > 0) {
      const slice = portion.splice(0, portionLength(portion, bytesOf, SLICE_BYTES));
      const rows: R[] = [];
      for (const listed of slice) {
        const row = listed.isWhole ? listed.row : read?.get(listed.key);
        if (row !== undefined) rows.push(row);
        read?.delete(listed.key);
      }
      yield rows;
    }
  }
}

const bytesOf = ({ bytes }: Place): number => bytes;

/** A value that came with its page, or the size in bytes of one that is too large for that. */
export type InlineValue = string | number | bigint | null;

/** SQL of an {@link InlineValue}. */
export function inlineOrSize(value: string): string {
  return `iif(octet_length(${value}) <= ${INLINE_BYTES}, ${value}, octet_length(${value}))`;
}

export function isWhole(value: InlineValue): boolean {
  return value === null || typeof value === 'string';
}

/** The size of a value. For one that came with its page its length is close enough. */
export function sizeOf(value: InlineValue): number {
  if (value === null) return 0;
  return typeof value === 'string' ? value.length : Number(value);
}

/** SQL of a value that comes with its page if it is small, and is null otherwise. */
export function inlineValue(value: string, bytes: string): string {
  return `case when ${bytes} <= ${INLINE_BYTES} then ${value} end`;
}
