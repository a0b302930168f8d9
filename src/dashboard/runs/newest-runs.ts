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

/** A list that is read in part, in the service's order, and the new runs in it that are kept back from sight. */
export interface Listed {
  readonly runs: readonly RunRow[];
  readonly heldIds: ReadonlySet<string>;
  /** Where the next page begins. */
  readonly cursor: string | null;
  /** Where the page after the held runs begins, if there are runs between them and the others. */
  readonly heldCursor: string | null | undefined;
}

export const EMPTY_LIST: Listed = { runs: [], heldIds: new Set(), cursor: null, heldCursor: undefined };

/** The list with the newest runs. While the reader is elsewhere in it, they are kept back. */
export function withNewest(list: Listed, newest: Newest, place: 'top' | 'elsewhere'): Listed {
  const fresh = byId(newest.runs);
  const isMet = newest.kind !== 'apart' || list.runs.some(({ id }) => fresh.has(id));
  const next = isMet ? withoutHole(list, newest, fresh) : withHole(list, newest);
  return place === 'top' ? released(next) : next;
}

/** The runs that are shown stay, and the newest ones are kept back above them. */
function withHole(list: Listed, { runs, nextCursor }: Newest): Listed {
  return {
    runs: [...runs, ...shownOf(list)],
    heldIds: new Set(byId(runs).keys()),
    cursor: list.cursor,
    heldCursor: nextCursor,
  };
}

/**
 * What was read takes the place of all runs down to the one where it meets the list. Only the service knows the order: runs of one
 * millisecond have no other.
 */
function withoutHole(list: Listed, { kind, runs, nextCursor }: Newest, fresh: ById): Listed {
  const known = byId(list.runs);
  const isShown = ({ id }: RunRow) => known.has(id) && !list.heldIds.has(id);
  const meeting = list.runs.findLastIndex(({ id }) => fresh.has(id));
  const isAll = kind === 'all' || meeting === list.runs.length - 1;
  // Those below the shown ones are no news.
  const end = isAll ? runs.findLastIndex(isShown) : runs.length;
  const news = runs.slice(0, Math.max(0, end)).filter(({ id }) => !known.has(id));
  const hasHole = !isAll && meeting < list.runs.findIndex(isShown);
  return {
    runs: isAll ? runs : [...runs, ...list.runs.slice(meeting + 1)],
    heldIds: new Set([...list.heldIds, ...byId(news).keys()]),
    cursor: isAll ? nextCursor : list.cursor,
    heldCursor: hasHole ? list.heldCursor : undefined,
  };
}

/** The list with the runs that were kept back. */
export function released(list: Listed): Listed {
  // The other runs would be at the end of a hole, so they are read again.
  if (list.heldCursor !== undefined) return { ...EMPTY_LIST, runs: heldOf(list), cursor: list.heldCursor };
  return { ...list, heldIds: EMPTY_LIST.heldIds };
}

export function shownOf({ runs, heldIds }: Listed): readonly RunRow[] {
  return heldIds.size === 0 ? runs : runs.filter(({ id }) => !heldIds.has(id));
}

export function heldOf({ runs, heldIds }: Listed): readonly RunRow[] {
  return heldIds.size === 0 ? [] : runs.filter(({ id }) => heldIds.has(id));
}

type ById = ReadonlyMap<string, RunRow>;

function byId(rows: readonly RunRow[]): ById {
  return new Map(rows.map((row) => [row.id, row]));
}
