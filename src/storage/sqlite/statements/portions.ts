import { portionLength } from '../../../core/json/portions.ts';

/** The most rows that one statement of a page reads. */
export const PAGE_ROWS = 100;

/**
 * A value up to this size is read with its page, so that a page of ordinary rows takes one
 * statement. A larger value is read later, so that neither the memory of a page nor one answer of a
 * server depends on the sizes of stored values.
 */
const INLINE_BYTES = 8 * 1024;

/** How much of a portion is passed on at a time. It bounds the memory of what is made of it, such as JSON. */
const SLICE_BYTES = 128 * 1024;

/** A row of a page. It is whole, or only a `Stub` of it is kept and the row is read later. */
export type Listed<R, Stub = undefined> = WholeRow<R> | CutRow<Stub>;

interface Place {
  /** The key by which the whole row is read. */
  readonly key: number;
  /** The size of all its texts, whether they were read or not. */
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
 * A page that takes little memory, because its reader may be slow. The first whole rows are kept, as
 * many as fit into one portion. On an ordinary page that is all of them. Of each other row only the
 * result of `cut` is kept.
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
 * The rows of a page, whole and in order, in slices of bounded size. Rows that were passed on are
 * removed from the page, to free their memory. Rows that were deleted since the page was read are
 * left out.
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

/** A value that was read with its page, or the size in bytes of a value that is too large for that. */
export type InlineValue = string | number | bigint | null;

/** SQL of an {@link InlineValue}. */
export function inlineOrSize(value: string): string {
  return `iif(octet_length(${value}) <= ${INLINE_BYTES}, ${value}, octet_length(${value}))`;
}

/** Whether the value was read with its page. */
export function isWhole(value: InlineValue): boolean {
  return value === null || typeof value === 'string';
}

/** The size of a value. The length of a value that was read is close enough. */
export function sizeOf(value: InlineValue): number {
  if (value === null) return 0;
  return typeof value === 'string' ? value.length : Number(value);
}

/** SQL of a value that is read with its page if it is small, and is null otherwise. */
export function inlineValue(value: string, bytes: string): string {
  return `case when ${bytes} <= ${INLINE_BYTES} then ${value} end`;
}
