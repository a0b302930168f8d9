import { endsRun } from '../../core/events.ts';
import type { EventCursor } from '../../core/feeds.ts';
import { portionLength } from '../../core/json/portions.ts';
import type { Freshness } from '../../core/store.ts';
import { defer } from '../../core/time/clock.ts';
import type { JournalTail, TailReader } from './journal-tail.ts';
import type { StreamedRow } from './streamed-row.ts';

export interface FeedFilter {
  /** The run whose events the feed has. Null for a feed of many runs, which never ends. */
  readonly runId: string | null;
  /** Whether the filter needs the labels of the events' runs. */
  readonly needsLabels: boolean;
  matches(event: StreamedRow): boolean;
}

/** A page of the journal after a place. */
export interface FeedPage {
  readonly events: readonly StreamedRow[];
  /** When the page was read, the journal reached at least this far. */
  readonly head: number;
  /** Whether it holds all that was committed before. A replica may have been behind. */
  readonly isCurrent: boolean;
}

interface CursorOptions {
  readonly filter: FeedFilter;
  readonly after: number;
  /** Reads a page after a place from the database. */
  readonly readPage: (after: number, asOf: Freshness) => Promise<FeedPage>;
  /** Reads what a page left out for its size. Returns the first of these events that are whole then: usually all. */
  readonly complete: (events: readonly StreamedRow[]) => Promise<readonly StreamedRow[]>;
  readonly pageRows: number;
  readonly tail: JournalTail;
}

interface Reach {
  readonly events: readonly StreamedRow[];
  /** All of the reader's events up to this sequence are in `events`. */
  readonly upTo: number;
  /** Whether the journal had no more events. */
  readonly isAtEnd: boolean;
  /** Whether that is certain. A replica may have been behind. */
  readonly isCurrent: boolean;
  /**
   * Where the events come from. The reader keeps the rest of its own page. The tail's events are
   * shared, so it need not keep them.
   */
  readonly from: 'page' | 'tail';
}

type CursorState =
  | { readonly kind: 'open' }
  /** The run has ended, and all of its events were handed out. */
  | { readonly kind: 'over' }
  /** The reader has closed it, or it was over. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly error: unknown };

const OPEN: CursorState = { kind: 'open' };
const OVER: CursorState = { kind: 'over' };
const CLOSED: CursorState = { kind: 'closed' };

/**
 * A reader's place in the journal. Far behind the tail, it reads its own pages. Close behind, it
 * takes events from the tail's window. At the head, it waits. It holds at most one bounded page, and
 * hands out one portion at a time.
 */
export class JournalCursor implements EventCursor, TailReader {
  readonly #options: CursorOptions;
  #place: number;
  /** The part of a page that was not handed out yet. */
  #rest: Reach | undefined;
  /** The latest event of the run that was read ends the run. A retry may follow. */
  #hasEnded = false;
  #state = OPEN;
  #waiting: ((reach: Reach) => void) | undefined;

  /** @param firstPage the page after the cursor's place, if it was read already. It is not kept. */
  constructor(options: CursorOptions, firstPage?: FeedPage) {
    this.#options = options;
    this.#place = options.after;
    this.#rest = firstPage && this.#reachOfPage(firstPage, this.#place);
  }

  get runId(): string | null {
    return this.#options.filter.runId;
  }

  get needsLabels(): boolean {
    return this.#options.filter.needsLabels;
  }

  async next(): Promise<readonly StreamedRow[] | null> {
    while (this.#state.kind === 'open') {
      const reach = await this.#reach();
      const events = await this.#take(reach);
      if (events.length > 0) return events;
      // Many pages may have no event for this reader, so other tasks of the event loop run between them.
      if (reach.from === 'page' && !reach.isAtEnd) await new Promise<void>((resolve) => defer(resolve));
    }
    this.close();
    if (this.#state.kind === 'failed') throw this.#state.error;
    return null;
  }

  close(): void {
    this.#leave(CLOSED);
  }

  fail(error: unknown): void {
    this.#leave({ kind: 'failed', error });
  }

  #leave(state: CursorState): void {
    if (this.#state.kind === 'closed' || this.#state.kind === 'failed') return;
    this.#state = state;
    this.#options.tail.leave(this);
    // Ends a wait for the tail.
    this.receive([], this.#place);
  }

  receive(events: readonly StreamedRow[], head: number): void {
    const resolve = this.#waiting;
    if (!resolve) return;
    this.#waiting = undefined;
    this.#options.tail.stopWaiting(this);
    resolve({ events, upTo: head, isAtEnd: true, isCurrent: true, from: 'tail' });
  }

  async #reach(): Promise<Reach> {
    const { tail, readPage, pageRows } = this.#options;
    if (this.#rest) return this.#rest;
    const { head } = tail;
    // The run's end was the last row of a full page, or came from a replica. Only another page shows whether
    // something follows it.
    if (this.#hasEnded) return this.#reachOfPage(await readPage(this.#place, 'now'), head);
    if (this.#place >= head) {
      return await new Promise((resolve) => {
        this.#waiting = resolve;
        tail.wait(this);
      });
    }
    const recent = tail.eventsAfter(this.#place, this);
    if (recent) return { events: recent, upTo: head, isAtEnd: true, isCurrent: true, from: 'tail' };
    const page = await readPage(this.#place, 'recently');
    const isBehindTail = !page.isCurrent && page.events.length < pageRows && page.head < head;
    return this.#reachOfPage(isBehindTail ? await readPage(this.#place, 'now') : page, head);
  }

  /**
   * How far a page reaches. A page that isn't full has all rows up to `head`, which was committed before the page
   * was read. A page of a replica has all rows up to its own head. If a page is larger than a portion, only its first
   * rows are kept, and the others are read again later.
   */
  #reachOfPage({ events: page, head: pageHead, isCurrent }: FeedPage, head: number): Reach {
    const length = portionLength(page, ({ bytesHere }) => bytesHere);
    const events = length === page.length ? page : page.slice(0, length);
    const last = events.at(-1)?.sequence ?? this.#place;
    const isAtEnd = events.length < this.#options.pageRows && events === page;
    const end = Math.max(last, pageHead, isCurrent ? head : 0);
    return { events, upTo: isAtEnd ? end : last, isAtEnd, isCurrent, from: 'page' };
  }

  /** Advances by one portion of the reader's events. */
  async #take(reach: Reach): Promise<readonly StreamedRow[]> {
    const { filter, complete } = this.#options;
    const place = this.#place;
    const isWanted = (event: StreamedRow) => event.sequence > place && !event.isGone && filter.matches(event);
    const matching = reach.events.filter(isWanted);
    const length = portionLength(matching, ({ bytes }) => bytes);
    // If possible, the same list that other readers get, so that its text is made once.
    const asked = length === reach.events.length ? reach.events : matching.slice(0, length);
    // If this fails, the next call takes the same events again.
    const taken = await complete(asked);
    const isWhole = taken.length === matching.length;
    const rest = { ...reach, events: matching.slice(taken.length) };
    this.#rest = isWhole || reach.from === 'tail' ? undefined : rest;
    this.#place = isWhole ? Math.max(place, reach.upTo) : (taken.at(-1)?.sequence ?? place);
    if (filter.runId !== null) {
      for (const { row } of taken) {
        if (endsRun(row.type)) this.#hasEnded = true;
        else if (row.type === 'run:retry') this.#hasEnded = false;
      }
      const isOver = this.#hasEnded && isWhole && reach.isAtEnd && reach.isCurrent;
      if (isOver && this.#state.kind === 'open') this.#state = OVER;
    }
    return taken.some(({ isGone }) => isGone) ? taken.filter(({ isGone }) => !isGone) : taken;
  }
}
