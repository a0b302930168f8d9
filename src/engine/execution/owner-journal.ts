import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import { endsExecution } from '../../core/events.ts';
import type { ClaimedRun } from '../../core/ownership/claim.ts';
import { type PauseBounds, pauseBeforeRetry } from '../../core/retry-pause.ts';
import type { AppendResult, OwnerEntry, OwnerNote, Store } from '../../core/store.ts';
import { type Clock, toIsoTime } from '../../core/time/clock.ts';
import type { ChildStart, Due } from '../../core/triggers/new-run.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Codec } from '../plugins/codec.ts';
import type { Plugins } from '../plugins/plugins.ts';
import { sealEntries } from '../plugins/sealing.ts';
import type { LogBudget } from './log-budget.ts';
import { type LooseType, type WaitingNote, WaitingNotes } from './waiting-notes.ts';

const DEFAULT_FLUSH_AFTER_MS = 50;
/** When this many entries wait, they are sent at once. */
const FLUSH_AT_ENTRIES = 100;
/** The pauses while the database is unavailable. */
const RETRY_PAUSE: PauseBounds = { firstMs: 100, maxMs: 5_000 };

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
  readonly #codec: Codec | undefined;
  #number = 0;
  /** Steps whose run the database refused to store, by name, and why. */
  readonly #refusedStarts = new Map<string, unknown>();
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
    this.#codec = deps.plugins?.codec;
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

  /**
   * Whether log lines and events of the job's own are left out because too many wait. If so, the
   * caller's is counted, and need not be made.
   */
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

  /** Resolves when all notes are stored, or cannot be stored any more. */
  async flush(): Promise<void> {
    this.#send();
    await this.#sending;
  }

  /** Accepts no more notes and stores those that wait. */
  async seal(): Promise<void> {
    this.#state = 'closed';
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

  async #sendGroup(given: readonly WaitingNote[]): Promise<void> {
    const group = given.filter((waiting) => !this.#isBlocked(waiting));
    if (group.length === 0) return;
    try {
      const entries = this.#codec === undefined ? group : await sealEntries(this.#codec, group);
      const result = await this.#append(group, entries);
      if (result === 'stored') this.#publish(group);
      else this.close();
      for (const { settle } of group) settle?.resolve(result);
    } catch (error) {
      if (group.length > 1 && !(error instanceof DatabaseUnavailableError)) {
        // The database refuses one of the notes. The others are stored without it.
        for (const waiting of group) await this.#sendGroup([waiting]);
        return;
      }
      for (const waiting of group) this.#refuse(waiting, error);
      if (group.every(({ settle }) => !settle)) {
        this.#bus.reportWorkerError({ error, context: 'telemetry', runId: this.#run.runId });
      }
    }
  }

  #refuse({ note, settle }: WaitingNote, error: unknown): void {
    // Another end may follow one that was refused. Telemetry waits for it.
    if (endsExecution(note.type) && this.#state === 'ended') this.#state = 'draining';
    if (note.child !== undefined) this.#refusedStarts.set(note.stepName ?? '', error);
    settle?.reject(error);
  }

  /** If the database refused the run that a step starts, the step must not complete, and its own run must not wait for it. */
  #isBlocked(waiting: WaitingNote): boolean {
    const { type, stepName } = waiting.note;
    const [first] = this.#refusedStarts.values();
    const error =
      type === 'run:wait'
        ? first
        : type === 'step:complete'
          ? this.#refusedStarts.get(stepName ?? '')
          : undefined;
    if (error === undefined) return false;
    this.#refuse(waiting, error);
    return true;
  }

  /** Repeats an append while the database is unavailable, so that an outage loses no result. */
  async #append(group: readonly WaitingNote[], entries: readonly OwnerEntry[]): Promise<AppendResult> {
    const number = ++this.#number;
    const { runId, fence } = this.#run;
    for (const { onLeave } of group) onLeave?.();
    for (let tries = 0; ; tries++) {
      const sentAtMs = this.#clock.monotonicMs();
      try {
        const isRepeated = tries > 0;
        return await this.#store.append({
          lease: { runId, fence },
          number,
          sentAtMs,
          entries,
          isRepeated,
        });
      } catch (error) {
        if (!(error instanceof DatabaseUnavailableError) || error.permanent) throw error;
        if (this.#state === 'closed') return 'refused';
        if (tries === 0) this.#bus.reportWorkerError({ error, context: 'append', runId });
      }
      await pauseBeforeRetry(this.#clock, tries, RETRY_PAUSE);
    }
  }

  #publish(group: readonly WaitingNote[]): void {
    const nowMs = this.#clock.monotonicMs();
    const run = this.#run;
    const events = group.flatMap(({ note, atMs }) => {
      const own = { run, note, ageMs: nowMs - atMs };
      return note.child === undefined ? [own] : [own, this.#triggered(note.child, own.ageMs)];
    });
    this.#bus.publish(events);
    for (const { note } of group) if (note.child !== undefined) this.#onChild(note.child.due);
  }

  #triggered({ id: runId, jobName, due }: ChildStart, ageMs: number) {
    const atMs = due === undefined ? undefined : 'atMs' in due ? due.atMs : this.#clock.now() + due.afterMs;
    const runAt = atMs === undefined ? undefined : toIsoTime(atMs);
    const data = JSON.stringify({ runAt, parentRunId: this.#run.runId });
    return { run: { runId, jobName }, note: { type: 'run:trigger', data } as const, ageMs };
  }
}
