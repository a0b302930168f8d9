import type { RunRow } from './run-patch.ts';

/** So many runs are read first. More are read at once when they do not meet the list. */
export const PAGE_SIZE = 100;
const LARGE_PAGE_SIZE = 1000;
/** After so many large pages, the list starts again with what was read. */
const MAX_LARGE_PAGES = 5;

export interface Page {
  readonly runs: readonly RunRow[];
  readonly nextCursor: string | null;
}

export interface PageRequest {
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** The newest runs, and how they lie to the list that is there. */
export interface Newest extends Page {
  /**
   * - `joined`: they end with a run of the list, so that none is missing between them.
   * - `all`: there are no others.
   * - `apart`: there are runs between them and the list.
   */
  readonly kind: 'joined' | 'all' | 'apart';
}

/** Reads the newest runs down to one that is known. However many there are, a list must have no hole. */
export async function readNewest(
  read: (request: PageRequest) => Promise<Page>,
  isKnown: (id: string) => boolean,
): Promise<Newest> {
  const runs: RunRow[] = [];
  let cursor: string | undefined;
  for (let page = 0; page <= MAX_LARGE_PAGES; page++) {
    const { runs: more, nextCursor } = await read({
      cursor,
      limit: page === 0 ? PAGE_SIZE : LARGE_PAGE_SIZE,
    });
    runs.push(...more);
    if (nextCursor === null) return { kind: 'all', runs, nextCursor };
    const last = more.at(-1);
    if (last !== undefined && isKnown(last.id)) return { kind: 'joined', runs, nextCursor };
    cursor = nextCursor;
  }
  return { kind: 'apart', runs, nextCursor: cursor ?? null };
}

/** A list that is read in part, and the new runs that are kept back from it. */
export interface Listed {
  readonly rows: readonly RunRow[];
  /** Where the next page begins. */
  readonly cursor: string | null;
  readonly held: readonly RunRow[];
  /** Where the page after the held runs begins, if there are runs between them and the rows. */
  readonly heldCursor: string | null | undefined;
}

/** The list with the newest runs. While the reader is elsewhere in it, they are kept back. */
export function withNewest(list: Listed, newest: Newest, place: 'top' | 'elsewhere'): Listed {
  const { rows, held } = list;
  const { kind, runs, nextCursor } = newest;
  const fresh = new Map(runs.map((row) => [row.id, row]));
  const kept = (some: readonly RunRow[]) =>
    some.flatMap((row) => fresh.get(row.id) ?? (kind === 'all' ? [] : [row]));
  if (kind === 'apart') {
    const known = new Set(rows.map(({ id }) => id));
    const apart = { ...list, rows: kept(rows), held: runs.filter(({ id }) => !known.has(id)) };
    return place === 'top'
      ? { rows: runs, cursor: nextCursor, held: [], heldCursor: undefined }
      : { ...apart, heldCursor: nextCursor };
  }
  const known = new Set([...held, ...rows].map(({ id }) => id));
  const added = runs.filter(({ id }) => !known.has(id));
  // When all runs were read, those below the list are among them.
  const end = rows.at(-1);
  const isBelow = (row: RunRow) => end !== undefined && compare(row, end) > 0;
  const next = {
    rows: [...kept(rows), ...added.filter(isBelow)],
    cursor: kind === 'all' ? null : list.cursor,
    held: sorted([...added.filter((row) => !isBelow(row)), ...kept(held)]),
    heldCursor: kind === 'all' ? undefined : list.heldCursor,
  };
  return place === 'top' ? released(next) : next;
}

/** The list with the runs that were kept back. */
export function released({ rows, cursor, held, heldCursor }: Listed): Listed {
  // The rows would be at the end of a hole, so they are read again.
  if (heldCursor !== undefined) return { rows: held, cursor: heldCursor, held: [], heldCursor: undefined };
  return { rows: sorted([...held, ...rows]), cursor, held: [], heldCursor };
}

function sorted(rows: readonly RunRow[]): readonly RunRow[] {
  const isSorted = rows.every((row, i) => i === 0 || compare(rows[i - 1] ?? row, row) <= 0);
  return isSorted ? rows : rows.toSorted(compare);
}

function compare(one: RunRow, other: RunRow): number {
  if (one.createdAt !== other.createdAt) return one.createdAt > other.createdAt ? -1 : 1;
  return one.id === other.id ? 0 : one.id > other.id ? -1 : 1;
}
