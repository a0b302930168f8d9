import type { EventCursor } from '../core/durably.ts';
import { endsRun } from '../core/events.ts';
import type { JournalTail, TailReader } from './journal-tail.ts';
import type { StreamedRow } from './streamed-row.ts';

export interface FeedFilter {
  /** The one run whose events these are; null for many runs' events, which never end. */
  readonly runId: string | null;
  /** Whether it goes by the labels of the events' runs. */
  readonly needsLabels: boolean;
  matches(event: StreamedRow): boolean;
}

interface CursorOptions {
  readonly filter: FeedFilter;
  readonly after: number;
  /** The page after that place, if it was read already. */
  readonly firstPage: readonly StreamedRow[] | undefined;
  /** Reads a page after a place from the database. */
  readonly readPage: (after: number) => Promise<readonly StreamedRow[]>;
  readonly pageRows: number;
  readonly tail: JournalTail;
}

interface Reach {
  readonly events: readonly StreamedRow[];
  /** Everything up to here that is the reader's is among the events. */
  readonly upTo: number;
  /** Whether nothing more was there. */
  readonly isAtEnd: boolean;
}

/**
 * A place in the journal. Far behind the tail it reads pages of its own; close
 * behind it takes from the tail's window; at the head it waits.
 */
export class JournalCursor implements EventCursor, TailReader {
  readonly #options: CursorOptions;
  #place: number;
  #firstPage: readonly StreamedRow[] | undefined;
  /** The last event of the run's life that was read is an end. */
  #hasEnded = false;
  #isOver = false;
  #isClosed = false;
  #failure: { readonly error: unknown } | undefined;
  #waiting: ((reach: Reach) => void) | undefined;

  constructor(options: CursorOptions) {
    this.#options = options;
    this.#place = options.after;
    this.#firstPage = options.firstPage;
  }

  get runId(): string | null {
    return this.#options.filter.runId;
  }

  get needsLabels(): boolean {
    return this.#options.filter.needsLabels;
  }

  async next(): Promise<readonly StreamedRow[] | null> {
    while (!this.#isClosed && !this.#isOver) {
      const events = this.#take(await this.#reach());
      if (events.length > 0) return events;
    }
    this.close();
    if (this.#failure) throw this.#failure.error;
    return null;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.tail.leave(this);
    this.receive([], this.#place);
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.close();
  }

  receive(events: readonly StreamedRow[], head: number): void {
    const resolve = this.#waiting;
    if (!resolve) return;
    this.#waiting = undefined;
    this.#options.tail.stopWaiting(this);
    resolve({ events, upTo: head, isAtEnd: true });
  }

  async #reach(): Promise<Reach> {
    const { tail, readPage } = this.#options;
    if (this.#firstPage) {
      const page = this.#firstPage;
      this.#firstPage = undefined;
      return this.#reachOfPage(page, this.#place);
    }
    const { head } = tail;
    // Its end was the last of a full page: whether anything followed is not for the tail to say.
    if (this.#hasEnded) return this.#reachOfPage(await readPage(this.#place), head);
    if (this.#place >= head) {
      return await new Promise((resolve) => {
        this.#waiting = resolve;
        tail.wait(this);
      });
    }
    const recent = tail.eventsAfter(this.#place, this);
    if (recent) return { events: recent, upTo: head, isAtEnd: true };
    return this.#reachOfPage(await readPage(this.#place), head);
  }

  /** `head` was committed before the page was read: a page that isn't full holds all up to it. */
  #reachOfPage(page: readonly StreamedRow[], head: number): Reach {
    const last = page.at(-1)?.sequence ?? this.#place;
    const isAtEnd = page.length < this.#options.pageRows;
    return { events: page, upTo: isAtEnd ? Math.max(last, head) : last, isAtEnd };
  }

  /** Moves on, and keeps the events that the reader is for. */
  #take({ events, upTo, isAtEnd }: Reach): readonly StreamedRow[] {
    const { filter } = this.#options;
    const place = this.#place;
    const matching = events.filter((event) => event.sequence > place && filter.matches(event));
    // The list that other readers get too, if it may be: what is made of it is made once.
    const taken = matching.length === events.length ? events : matching;
    this.#place = Math.max(place, upTo);
    if (filter.runId === null) return taken;
    for (const { row } of taken) {
      if (endsRun(row.type)) this.#hasEnded = true;
      else if (row.type === 'run:retry') this.#hasEnded = false;
    }
    this.#isOver = this.#hasEnded && isAtEnd;
    return taken;
  }
}
