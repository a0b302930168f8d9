import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import type { Store } from '../../core/store.ts';
import type { Clock } from '../../core/time/clock.ts';
import { defer } from '../../core/time/clock.ts';
import { StreamedRow } from './streamed-row.ts';
import { TailWindow } from './tail-window.ts';

/** With their messages and labels, more rows would not fit into one answer of a server. */
const PAGE_ROWS = 200;
/** During a burst the tail pauses between reads, so that events are sent in groups. */
const MIN_PAUSE_MS = 5;
/**
 * Each reader lengthens the pause, because sending to many readers must not starve the jobs of this
 * process.
 */
const PAUSE_PER_READER_MS = 0.05;
const MAX_ERROR_PAUSE_MS = 5_000;

/** A cursor that follows the tail. */
export interface TailReader {
  /** The run whose events it reads. Null for all runs. */
  readonly runId: string | null;
  /** Whether its events need the labels of their runs. */
  readonly needsLabels: boolean;
  /** Receives new events: all of them, or those of the reader's run. The tail has read up to `head`. */
  receive(events: readonly StreamedRow[], head: number): void;
  /** Called when nothing can be read any more. The tail has removed the reader. */
  fail(error: unknown): void;
}

/** What the tail does. An idle one has no readers. */
type TailState =
  | { readonly kind: 'idle' }
  /**
   * It asks for the journal's head, after which it will read. Readers that join meanwhile wait for
   * the same answer.
   */
  | { readonly kind: 'starting'; readonly started: Promise<void> }
  /** It reads the rows after the head. */
  | { readonly kind: 'following' };

const IDLE: TailState = { kind: 'idle' };
const FOLLOWING: TailState = { kind: 'following' };

/**
 * Reads the journal's new rows once for all readers of this process. It keeps the latest in a
 * bounded window, for readers that are a little behind. It reads only while it has readers.
 */
export class JournalTail {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #onError: (error: unknown) => void;
  readonly #readers = new Set<TailReader>();
  readonly #waitingForAll = new Set<TailReader>();
  readonly #waitingByRun = new Map<string, Set<TailReader>>();
  readonly #window = new TailWindow();
  #head = 0;
  /**
   * Labels are read only while a reader needs them. From this sequence on, the rows of the window
   * have labels.
   */
  #labelsFloor = 0;
  #labelReaders = 0;
  #state = IDLE;
  /** Counts how often the last reader left. Answers to reads from before that are dropped. */
  #session = 0;
  /** A read is under way. The readers may have left since. */
  #isReading = false;
  /** There are new rows, so the next read does not wait for the poll. */
  #isNudged = false;
  #failures = 0;
  #lastReadMs = Number.NEGATIVE_INFINITY;
  #cancelRead: (() => void) | undefined;

  constructor(deps: { store: Store; clock: Clock; pollMs: number; onError: (error: unknown) => void }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#pollMs = deps.pollMs;
    this.#onError = deps.onError;
  }

  get #isFollowing(): boolean {
    return this.#state.kind === 'following';
  }

  get #leastPauseMs(): number {
    return Math.max(MIN_PAUSE_MS, PAUSE_PER_READER_MS * this.#readers.size);
  }

  /** How many follow it. */
  get readers(): number {
    return this.#readers.size;
  }

  /** The sequence up to which everything was read. */
  get head(): number {
    return this.#head;
  }

  async join(reader: TailReader): Promise<void> {
    this.#readers.add(reader);
    // This reader cannot use rows that were read without labels.
    if (reader.needsLabels && this.#labelReaders++ === 0) this.#labelsFloor = this.#head;
    if (this.#state.kind === 'idle') this.#state = { kind: 'starting', started: this.#start() };
    try {
      if (this.#state.kind === 'starting') await this.#state.started;
    } catch (error) {
      this.leave(reader);
      throw error;
    }
  }

  leave(reader: TailReader): void {
    this.stopWaiting(reader);
    if (this.#readers.delete(reader) && reader.needsLabels) this.#labelReaders--;
    if (this.#readers.size > 0) return;
    this.#cancelRead?.();
    this.#cancelRead = undefined;
    this.#state = IDLE;
    this.#session++;
    this.#window.restart(this.#head);
  }

  /** Fails all readers because the database is closed, and reads no more. */
  close(error: unknown): void {
    for (const reader of [...this.#readers]) reader.fail(error);
  }

  /**
   * The events after a place. Undefined if the window does not have all of them, or not with the
   * labels that the reader needs.
   */
  eventsAfter(place: number, { needsLabels }: TailReader): readonly StreamedRow[] | undefined {
    return needsLabels && place < this.#labelsFloor ? undefined : this.#window.after(place);
  }

  /** Hands the reader its next events. The reader must have all events up to the head. */
  wait(reader: TailReader): void {
    if (reader.runId === null) {
      this.#waitingForAll.add(reader);
      return;
    }
    const readers = this.#waitingByRun.get(reader.runId) ?? new Set();
    readers.add(reader);
    this.#waitingByRun.set(reader.runId, readers);
  }

  stopWaiting(reader: TailReader): void {
    if (reader.runId === null) {
      this.#waitingForAll.delete(reader);
      return;
    }
    const readers = this.#waitingByRun.get(reader.runId);
    readers?.delete(reader);
    if (readers?.size === 0) this.#waitingByRun.delete(reader.runId);
  }

  nudge(): void {
    // If every nudge postponed the read, it would never happen during a burst.
    if (this.#readers.size === 0 || this.#isNudged) return;
    this.#isNudged = true;
    if (this.#isFollowing && !this.#isReading) this.#scheduleRead();
  }

  async #start(): Promise<void> {
    const session = this.#session;
    const head = await this.#store.journalHead();
    if (session !== this.#session) return;
    this.#state = FOLLOWING;
    this.#head = head;
    this.#window.restart(head);
    this.#labelsFloor = head;
    this.#scheduleRead();
  }

  #scheduleRead(): void {
    this.#cancelRead?.();
    const restMs = this.#lastReadMs + this.#leastPauseMs - this.#clock.monotonicMs();
    if (this.#isNudged && restMs <= 0) {
      let isCancelled = false;
      this.#cancelRead = () => {
        isCancelled = true;
      };
      defer(() => {
        if (!isCancelled) void this.#read();
      });
      return;
    }
    const errorPauseMs = this.#failures === 0 ? 0 : Math.min(MAX_ERROR_PAUSE_MS, 100 * 2 ** this.#failures);
    const pauseMs = this.#isNudged ? restMs : this.#pollMs;
    this.#cancelRead = this.#clock.schedule(Math.max(pauseMs, errorPauseMs), () => void this.#read());
  }

  async #read(): Promise<void> {
    if (this.#isReading || !this.#isFollowing) return;
    this.#isReading = true;
    this.#isNudged = false;
    const session = this.#session;
    const withLabels = this.#labelReaders > 0;
    try {
      const rows = await this.#store.readJournal({ after: this.#head, limit: PAGE_ROWS, withLabels });
      // A reader that needs labels may have joined meanwhile. Then these rows are read again, with labels.
      const lacksLabels = !withLabels && this.#labelReaders > 0;
      // All readers may have left meanwhile, and new ones may have started at another place.
      if (this.#session === session && !lacksLabels) this.#deliver(rows.map((row) => new StreamedRow(row)));
      this.#isNudged ||= rows.length === PAGE_ROWS || lacksLabels;
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      // If all readers have left, the error affects nobody.
      if (this.#session === session) this.#onError(error);
      if (error instanceof DatabaseUnavailableError && error.permanent) this.close(error);
    } finally {
      this.#isReading = false;
      this.#lastReadMs = this.#clock.monotonicMs();
      if (this.#isFollowing) this.#scheduleRead();
    }
  }

  #deliver(events: readonly StreamedRow[]): void {
    const last = events.at(-1);
    if (!last) return;
    this.#window.extend(events);
    this.#head = last.sequence;
    const waitingForAll = [...this.#waitingForAll];
    for (const reader of waitingForAll) reader.receive(events, this.#head);
    for (const [runId, ofRun] of this.#groupByWaitedRun(events)) {
      for (const reader of [...(this.#waitingByRun.get(runId) ?? [])]) reader.receive(ofRun, this.#head);
    }
  }

  #groupByWaitedRun(events: readonly StreamedRow[]): Map<string, StreamedRow[]> {
    const groups = new Map<string, StreamedRow[]>();
    for (const event of events) {
      const { runId } = event.row;
      if (!this.#waitingByRun.has(runId)) continue;
      const group = groups.get(runId);
      if (group) group.push(event);
      else groups.set(runId, [event]);
    }
    return groups;
  }
}
