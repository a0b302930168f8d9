import type { Vitals } from '../../core/stats/vitals.ts';
import { defer } from '../../core/time/clock.ts';
import type { Due } from '../../core/triggers/new-run.ts';
import { Scheduler } from '../schedules/scheduler.ts';
import { WorkerNotes } from '../worker-notes.ts';
import { Alarm } from './alarm.ts';
import { ClaimLoop } from './claim-loop.ts';
import { Intake } from './claiming/intake.ts';
import { Drain } from './drain.ts';
import type { ShiftOptions } from './shift.ts';
import { Shifts } from './shifts.ts';
import type { Awaited, RunWait } from './slots/run-waits.ts';
import { Slots } from './slots/slots.ts';
import { flushAfterMs, type StopOptions, type WorkerOptions } from './worker-options.ts';
import { isRetired, type Stopping, type WorkerDeps, type WorkerState } from './worker-state.ts';

/**
 * Fills its slots with claimed runs. While it is started, its {@link ClaimLoop} claims them. It also works shifts on
 * demand, for which it need not be started.
 *
 * One claim fills all slots that free together. It leaves with the writes that wait, so that it sees what they store.
 */
export class Worker {
  readonly #deps: WorkerDeps;
  readonly #options: WorkerOptions;
  readonly #slots: Slots;
  readonly #intake: Intake;
  readonly #drain: Drain;
  readonly #shifts: Shifts;
  readonly #alarm: Alarm;
  readonly #loop: ClaimLoop;
  readonly #notes: WorkerNotes;
  /** Fires the schedules of its jobs. It needs no slot for that. */
  readonly schedules: Scheduler;
  #state: WorkerState = { kind: 'stopped' };

  constructor(deps: WorkerDeps, options: WorkerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#slots = new Slots({
      ...deps,
      ...options,
      flushAfterMs: flushAfterMs(options),
      onFree: (left) => {
        if (left === 'nothing') this.#noteFreed();
        else this.wake({ mayResume: left === 'waiting-run' });
      },
      onChild: (due) => (due === undefined ? this.wake() : this.expectDueRun(due)),
      onTimedOut: () => deps.housekeeping.cancelBelow(),
      onWait: (dueInMs) => this.expectDue(dueInMs),
      onEmptied: () => this.#noteEmptied(),
    });
    this.schedules = new Scheduler({
      ...deps,
      ...options,
      maxInputBytes: options.maxResultBytes,
      onFire: () => this.wake(),
    });
    this.#notes = new WorkerNotes({ ...deps, ...options, slots: this.#slots });
    this.#intake = new Intake({
      ...deps,
      schedules: this.schedules,
      ...options,
      slots: this.#slots,
      wakesEveryMs: options.pollingIntervalMs / 2,
      onSend: () => this.#notes.sendAlong(),
      onFailed: () => deps.housekeeping.cancelBelow(),
      onThrottled: (inMs) => this.expectDue(inMs),
      onEnd: () => this.#noteEmptied(),
    });
    this.#loop = new ClaimLoop({
      ...deps,
      ...options,
      intake: this.#intake,
      isRunning: () => this.#state.kind === 'running',
      onDatabaseGone: () => this.#fail(),
    });
    this.#shifts = new Shifts({
      ...deps,
      ...options,
      intake: this.#intake,
      slots: this.#slots,
      schedules: this.schedules,
      notes: this.#notes,
      isLoopRunning: () => this.#state.kind === 'running',
      // Nobody is there to go on with waiting runs, and a timer would keep the process alive.
      onOver: () => this.#state.kind !== 'running' && this.#alarm.clear(),
    });
    this.#alarm = new Alarm(deps.clock, () => this.wake({ mayResume: true }));
    this.#drain = new Drain({ ...deps, ...options, intake: this.#intake, slots: this.#slots });
  }

  /** Whether it claims runs, by its loop or on demand. */
  get isAlive(): boolean {
    const { kind } = this.#state;
    return kind === 'running' || (kind === 'stopped' && this.#options.presence === 'on-demand');
  }

  /** How many runs are being executed. */
  get running(): number {
    return this.#slots.taken;
  }

  /** How many runs it executes at once, and how many it executes now. */
  get slots(): Vitals['slots'] {
    return { inUse: this.#slots.taken, of: this.#options.maxConcurrentRuns };
  }

  get isStopping(): boolean {
    return this.#state.kind === 'stopping';
  }

  start(): void {
    const state = this.#state;
    if (state.kind === 'stopping' && state.next === 'stopped') state.next = 'running';
    if (this.#options.presence === 'on-demand') return;
    if (state.kind !== 'stopped' && state.kind !== 'failed') return;
    this.#state = { kind: 'running' };
    this.#notes.begin();
    this.#loop.start();
    this.#deps.housekeeping.start();
    this.schedules.start();
    // Runs may have become due while nobody looked for them.
    this.wake({ mayResume: true });
  }

  /** Looks for work at once, or as soon as a slot is free. `mayResume`: what there is has waited, and has steps. */
  wake({ mayResume = false }: { readonly mayResume?: boolean } = {}): void {
    if (mayResume) this.#intake.expectDue();
    this.#loop.wake();
    this.#shifts.expectMore();
    this.#loop.look();
  }

  /** A run was triggered for that time. Whether it has come is for the database's clock to say. */
  expectDueRun(due: Due): void {
    this.expectDue('afterMs' in due ? due.afterMs : due.atMs - this.#deps.clock.now());
  }

  /** Looks for work after `inMs`, because a waiting run is due then. */
  expectDue(inMs: number): void {
    const { kind } = this.#state;
    const isAtWork = kind === 'running' || (kind === 'stopped' && !this.#shifts.areOver);
    if (isAtWork) this.#alarm.set(Math.max(0, inMs));
  }

  /**
   * Works a shift and returns how many runs it claimed. The worker need not be started. If it is stopping, or was stopped
   * for good, it claims none.
   *
   * @throws {DatabaseUnavailableError} if a claim fails.
   * @throws {ConflictError} inside a job of this worker.
   */
  async work(options: ShiftOptions): Promise<number> {
    this.#slots.refuseCaller('processOne and processUntilIdle');
    const { kind } = this.#state;
    if (kind === 'retired' || kind === 'stopping' || this.#deps.registry.isEmpty) return 0;
    return await this.#shifts.work(options);
  }

  /**
   * Notes that the calling job waits for a run that this worker executes. Callers outside of runs may wait for anything.
   *
   * @throws {ConflictError} if it would wait forever.
   * @throws {LeaseLostError} if the worker is being stopped. The calling run is handed back.
   */
  beginWait(awaited: Awaited & { readonly needsSlot: boolean }): RunWait {
    return this.#slots.beginWait(awaited, { isStopping: this.isStopping });
  }

  /** Stops the execution of a run that was cancelled, and looks for one that gets its concurrency key. */
  noteCancelled(runId: string): void {
    this.#slots.cancel(runId);
    this.#intake.cancel(runId);
    this.wake();
  }

  /** Stops all executions and claims no more, because the database is closed. */
  abandon(error: unknown): void {
    const wasAtWork = this.#state.kind === 'running' || this.#slots.taken > 0;
    this.#fail();
    this.#loop.stop();
    void this.#endChores();
    this.#slots.abandonAll();
    if (wasAtWork) this.#deps.bus.reportWorkerError({ error, context: 'database' });
  }

  /**
   * Claims nothing new and waits for the running runs. After `timeoutMs` it hands them back. Inside a job, it neither waits
   * for nor hands back the job's own run and the runs that wait for it. After a `final` stop, nothing starts it again.
   */
  stop(options: StopOptions = {}): Promise<void> {
    const next = options.final === true || isRetired(this.#state) ? 'retired' : 'stopped';
    const { kind } = this.#state;
    if ((kind === 'stopped' || kind === 'retired') && this.#shifts.areOver) {
      this.#state = { kind: next };
      return this.#endChores();
    }
    const { over } = this.#beginStop(next);
    return this.#drain.forCaller({ timeoutMs: options.timeoutMs, everything: over });
  }

  #beginStop(next: 'stopped' | 'retired'): Stopping {
    const earlier = this.#state.kind === 'stopping' ? this.#state : undefined;
    const stopping: Stopping = earlier ?? { kind: 'stopping', next, over: Promise.resolve() };
    stopping.next = next;
    this.#state = stopping;
    this.#shifts.close();
    this.#alarm.clear();
    this.#loop.stop();
    if (earlier !== undefined) return earlier;
    stopping.over = Promise.all([this.#drain.everything(), this.#endChores()]).then(async () => {
      await this.#notes.end();
      this.#state = { kind: stopping.next === 'retired' ? 'retired' : 'stopped' };
      if (stopping.next === 'running') this.start();
    });
    return stopping;
  }

  async #endChores(): Promise<void> {
    this.#alarm.clear();
    await Promise.all([this.#deps.housekeeping.stop(), this.schedules.stop()]);
  }

  /** The database is gone for good. */
  #fail(): void {
    this.#alarm.clear();
    if (this.#state.kind === 'running') this.#state = { kind: 'failed' };
  }

  /** A slot is free, or its run's end leaves with the next writes. */
  #noteFreed(): void {
    this.#shifts.noteFreed();
    this.#loop.look();
  }

  /** Waits for the end of this turn of the event loop: a claim that is answered in it may show that nothing is left. */
  #noteEmptied(): void {
    this.#shifts.noteFreed();
    defer(() => this.#loop.look());
  }
}
