import { DatabaseUnavailableError } from '../../../core/errors/errors.ts';
import { endsExecution } from '../../../core/events.ts';
import type { AppendResult, OwnerNote } from '../../../core/ownership/append.ts';
import type { ClaimedRun } from '../../../core/ownership/claim.ts';
import type { Store } from '../../../core/store.ts';
import type { Clock } from '../../../core/time/clock.ts';
import type { Due } from '../../../core/triggers/new-run.ts';
import type { EventBus } from '../../events/event-bus.ts';
import { ownerEvents } from '../../events/owner-events.ts';
import type { Plugins } from '../../plugins/plugins.ts';
import { EntrySealer } from '../../plugins/sealing.ts';
import { appendPatiently } from '../patience.ts';
import { type JournalPlace, type Leaving, plain } from './journal-place.ts';
import type { LogBudget } from './log-budget.ts';
import { RefusedStarts } from './refused-starts.ts';
import { type LooseType, type WaitingNote, WaitingNotes } from './waiting-notes.ts';

const DEFAULT_FLUSH_AFTER_MS = 50;
/** When this many entries wait, they are sent at once. */
const FLUSH_AT_ENTRIES = 100;
/** How long a stopped run waits for plugins: others wait to go on with it. */
const SEAL_WITHIN_MS = 500;

/**
 * - `open`: accepts notes. Telemetry leaves by itself after a while.
 * - `draining`: accepts notes. Telemetry waits for an outcome, however long.
 * - `ended`: accepts no more notes, because the run's end was noted.
 * - `closed`: accepts no more notes, and an append that fails is not tried again.
 */
type JournalState = 'open' | 'draining' | 'ended' | 'closed';

/**
 * Writes the notes of a run's owner into the journal. Telemetry (step:start, progress, log lines)
 * waits for a moment. It is stored in order in the statement of the next outcome, or by itself after
 * a while. One append is under way at a time, so that it can be repeated until it is known to be
 * stored or refused.
 */
export class OwnerJournal {
  readonly #run: ClaimedRun;
  readonly #store: Store;
  readonly #bus: EventBus;
  readonly #clock: Clock;
  readonly #waiting: WaitingNotes;
  readonly #sealer: EntrySealer | undefined;
  #number = 0;
  readonly #refusedStarts = new RefusedStarts();
  #sending: Promise<void> | undefined;
  #cancelFlush: (() => void) | undefined;
  #state: JournalState = 'open';
  readonly #flushAfterMs: number;
  readonly #onChild: (due: Due | undefined) => void;

  /** @param deps.flushAfterMs how long telemetry waits for an outcome to leave with. Default: 50. */
  constructor(
    run: ClaimedRun,
    deps: {
      store: Store;
      bus: EventBus;
      clock: Clock;
      logBudget: LogBudget;
      plugins?: Pick<Plugins, 'codec'> | undefined;
      flushAfterMs?: number | undefined;
      /** Called when a run that a step starts is stored. */
      onChild?: ((due: Due | undefined) => void) | undefined;
    },
  ) {
    this.#run = run;
    this.#store = deps.store;
    this.#bus = deps.bus;
    this.#clock = deps.clock;
    this.#waiting = new WaitingNotes(deps.logBudget);
    const codec = deps.plugins?.codec;
    this.#sealer = codec && new EntrySealer(codec, deps.clock);
    this.#onChild = deps.onChild ?? (() => undefined);
    this.#flushAfterMs = deps.flushAfterMs ?? DEFAULT_FLUSH_AFTER_MS;
  }

  get #acceptsNotes(): boolean {
    return this.#state === 'open' || this.#state === 'draining';
  }

  /** Notes telemetry. Never throws and never waits. */
  note(note: OwnerNote): void {
    if (!this.#acceptsNotes) return;
    this.#waiting.push({ note, atMs: this.#clock.monotonicMs() });
    if (this.#state === 'draining') return;
    if (this.#waiting.length >= FLUSH_AT_ENTRIES) this.#send();
    else this.#cancelFlush ??= this.#clock.schedule(this.#flushAfterMs, () => this.#send());
  }

  /** Whether log lines and events of the job's own are left out because too many wait. If so, the caller's is counted. */
  leavesOut(type: LooseType): boolean {
    return this.#waiting.leavesOut(type);
  }

  /** Sends no more telemetry by itself, because the platform allows few further requests. */
  holdBack(): void {
    if (this.#state === 'open') this.#state = 'draining';
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
  }

  /**
   * Stores an outcome, after all notes before it. `onLeave` is called when it is about to be sent, which may be later:
   * one append is under way at a time.
   */
  record(note: OwnerNote, onLeave?: () => void): Promise<AppendResult> {
    if (!this.#acceptsNotes) return Promise.resolve('refused');
    if (endsExecution(note.type)) this.#state = 'ended';
    return new Promise((resolve, reject) => {
      this.#waiting.push({ note, atMs: this.#clock.monotonicMs(), settle: { resolve, reject }, onLeave });
      this.#send();
    });
  }

  /**
   * Keeps the place of the append that is under way: nothing is sent before its release. Resolves when what is under way is
   * stored, or cannot be stored.
   */
  async hold(): Promise<JournalPlace> {
    while (this.#sending !== undefined) await this.#sending;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#sending = held.then(() => this.#sendAll());
    return {
      waiting: this.#waiting,
      encode: async (group) =>
        this.#sealer === undefined ? plain(group) : await this.#encode(group, this.#sealer),
      nextNumber: () => ++this.#number,
      stored: (group) => {
        this.#publish(group);
        for (const { settle } of group) settle?.resolve('stored');
      },
      release,
    };
  }

  /** Resolves when all notes are stored, or cannot be stored any more. */
  async flush(): Promise<void> {
    this.#send();
    await this.#sending;
  }

  /** Accepts no more notes and stores those that wait. A plugin that takes too long to encode them loses them. */
  async seal(): Promise<void> {
    this.#state = 'closed';
    this.#sealer?.hurry(SEAL_WITHIN_MS);
    await this.flush();
  }

  /** Accepts no more notes and drops those that wait. */
  close(): void {
    this.#state = 'closed';
    this.#cancelFlush?.();
    for (const { settle } of this.#waiting.clear()) settle?.resolve('refused');
  }

  #send(): void {
    if (this.#waiting.length > 0) this.#sending ??= this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#cancelFlush?.();
      this.#cancelFlush = undefined;
      await this.#sendGroup(this.#waiting.take());
      this.#waiting.release();
    }
    // Set synchronously after the check that nothing waits, so that no note comes in between.
    this.#sending = undefined;
  }

  async #sendGroup(taken: readonly WaitingNote[]): Promise<void> {
    await this.#sendEncoded(
      this.#sealer === undefined ? plain(taken) : await this.#encode(taken, this.#sealer),
    );
  }

  async #sendEncoded(given: readonly Leaving[]): Promise<void> {
    const leaving = given.filter(({ waiting }) => !this.#isBlocked(waiting));
    if (leaving.length === 0) return;
    const group = leaving.map(({ waiting }) => waiting);
    try {
      const result = await this.#append(leaving);
      if (result === 'stored') this.#publish(group);
      else this.close();
      for (const { settle } of group) settle?.resolve(result);
    } catch (error) {
      if (leaving.length > 1 && !(error instanceof DatabaseUnavailableError)) {
        // The database refuses one of the notes. The others are stored without it.
        for (const each of leaving) await this.#sendEncoded([each]);
        return;
      }
      this.#refuseAll(group, error);
    }
  }

  /** What can be encoded of a group. The rest is refused, each note by itself. */
  async #encode(group: readonly WaitingNote[], sealer: EntrySealer): Promise<readonly Leaving[]> {
    const sealed = await sealer.seal(group);
    if (sealed === 'given-up') {
      const error = 'what a stopped run had to store was not encoded in time';
      this.#bus.reportWorkerError({ error, context: 'plugin', runId: this.#run.runId });
      for (const { settle } of group) settle?.resolve('refused');
      this.close();
      return [];
    }
    return group.flatMap((waiting, i): Leaving[] => {
      const one = sealed[i];
      if (one?.ok === true) return [{ waiting, entry: one.entry }];
      this.#refuseAll([waiting], one?.error);
      return [];
    });
  }

  #refuseAll(group: readonly WaitingNote[], error: unknown): void {
    for (const waiting of group) this.#refuse(waiting, error);
    if (group.some(({ settle }) => settle)) return;
    this.#bus.reportWorkerError({ error, context: 'telemetry', runId: this.#run.runId });
  }

  #refuse({ note, settle }: WaitingNote, error: unknown): void {
    // Another end may follow one that was refused. Telemetry waits for it.
    if (endsExecution(note.type) && this.#state === 'ended') this.#state = 'draining';
    this.#refusedStarts.noteRefused(note, error);
    settle?.reject(error);
  }

  #isBlocked(waiting: WaitingNote): boolean {
    const error = this.#refusedStarts.blocking(waiting.note);
    if (error === undefined) return false;
    this.#refuse(waiting, error);
    return true;
  }

  async #append(leaving: readonly Leaving[]): Promise<AppendResult> {
    const number = ++this.#number;
    const { runId, fence } = this.#run;
    for (const { waiting } of leaving) waiting.onLeave?.();
    return await appendPatiently(
      { lease: { runId, fence }, number, entries: leaving.map(({ entry }) => entry) },
      { store: this.#store, bus: this.#bus, clock: this.#clock, isClosed: () => this.#state === 'closed' },
    );
  }

  #publish(group: readonly WaitingNote[]): void {
    this.#bus.publish(ownerEvents(this.#run, group, this.#clock));
    for (const { note } of group) if (note.child !== undefined) this.#onChild(note.child.due);
  }
}
