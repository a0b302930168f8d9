import { portionLength } from '../core/portions.ts';

/** A page reads so many rows at most. */
export const PAGE_ROWS = 100;

/**
 * A value up to this size comes with its page, so that a page of ordinary rows
 * is one statement. A larger one is read when its turn comes: what a page takes
 * in memory, and in one answer of a server, depends on no stored size.
 */
const INLINE_BYTES = 8 * 1024;

/** A row of a page. */
export interface Listed<R> {
  /** By which it can be read whole. */
  readonly key: number;
  readonly row: R;
  /** The size of its large values, whether they came with it or not. */
  readonly bytes: number;
  readonly isWhole: boolean;
}

/**
 * The rows of a page, whole, in portions of bounded size. One that has been
 * deleted since the page was read is left out.
 */
export async function* inPortions<R>(
  page: readonly Listed<R>[],
  readWhole: (listed: readonly Listed<R>[]) => Promise<ReadonlyMap<number, R>>,
): AsyncGenerator<readonly R[]> {
  let rest = page;
  while (rest.length > 0) {
    const length = portionLength(rest, ({ bytes }) => bytes);
    const portion = length === rest.length ? rest : rest.slice(0, length);
    rest = rest.slice(length);
    const cut = portion.filter(({ isWhole }) => !isWhole);
    if (cut.length === 0) {
      yield portion.map(({ row }) => row);
    } else {
      const read = await readWhole(cut);
      yield portion.flatMap(({ key, row, isWhole }) => (isWhole ? [row] : (read.get(key) ?? [])));
    }
  }
}

/** A value that came with its page, or the size in bytes of one that is too large for that. */
export type InlineValue = string | number | bigint | null;

/** SQL of an {@link InlineValue}. */
export function inlineOrSize(value: string): string {
  return `iif(octet_length(${value}) <= ${INLINE_BYTES}, ${value}, octet_length(${value}))`;
}

export function isWhole(value: InlineValue): boolean {
  return value === null || typeof value === 'string';
}

/** Of a value that is here its length, which is near enough to its size. */
export function sizeOf(value: InlineValue): number {
  if (value === null) return 0;
  return typeof value === 'string' ? value.length : Number(value);
}

/** SQL of a value that comes with its page if it is small, and is null otherwise. */
export function inlineValue(value: string, bytes: string): string {
  return `case when ${bytes} <= ${INLINE_BYTES} then ${value} end`;
}
