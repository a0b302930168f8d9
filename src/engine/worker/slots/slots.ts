import { AsyncResource } from 'node:async_hooks';
import type { ErrorDetailMode } from '../../../core/errors/error-detail.ts';
import { ConflictError } from '../../../core/errors/errors.ts';
import type { ClaimedRun } from '../../../core/ownership/claim.ts';
import type { Lease } from '../../../core/ownership/lease.ts';
import { currentRun, type RunContext } from '../../../core/run-context.ts';
import type { Store } from '../../../core/store.ts';
import type { Clock } from '../../../core/time/clock.ts';
import type { Due } from '../../../core/triggers/new-run.ts';
import type { EventBus } from '../../events/event-bus.ts';
import type { RunLog } from '../../events/run-log.ts';
import type { LeftWork } from '../../execution/ending.ts';
import { executeRun } from '../../execution/execute-run.ts';
import { LogBudget } from '../../execution/journal/log-budget.ts';
import { OwnerJournal } from '../../execution/journal/owner-journal.ts';
import { LeaseKeeper } from '../../execution/lease-keeper.ts';
import { RunControl } from '../../execution/run-control.ts';
import type { Registry } from '../../jobs/registry.ts';
import type { Plugins } from '../../plugins/plugins.ts';
import { Changes } from './changes.ts';
import { Conclusions } from './conclusions.ts';
import { EndingSlots } from './ending-slots.ts';
import { type Awaited, currentExecution, type RunWait, RunWaits } from './run-waits.ts';
import { isSuspect, Slot } from './slot.ts';

interface SlotsDeps {
  readonly store: Store;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly log: RunLog;
  readonly errorDetail: ErrorDetailMode;
  readonly plugins: Plugins;
  readonly heartbeatIntervalMs: number;
  readonly staleThresholdMs: number;
  readonly maxConcurrentRuns: number;
  readonly maxResultBytes: number;
  /** How long telemetry waits for an outcome to be stored with. */
  readonly flushAfterMs?: number | undefined;
  /** Called once for each run: when its end is about to be stored, or otherwise when it has left its slot. */
  readonly onFree: (left: LeftWork) => void;
  /** Called when a run that a step starts is stored. */
  readonly onChild?: ((due: Due | undefined) => void) | undefined;
  /** Called when a run has failed because its time was up. */
  readonly onTimedOut: () => void;
  /** Told when a run that was put to wait is due. */
  readonly onWait: (dueInMs: number) => void;
  /** Called when a run whose end was stored has left its slot. */
  readonly onEmptied: () => void;
}

/** The runs that a worker executes. Each has a slot, and its lease is renewed. */
export class Slots {
  readonly #deps: SlotsDeps;
  readonly #leases: LeaseKeeper;
  readonly #conclusions: Conclusions;
  readonly #slots = new Map<string, Slot>();
  readonly #ending = new EndingSlots();
  readonly #logBudget = new LogBudget();
  /** The async context of jobs. They must not run in the context of the caller that woke the worker. */
  readonly #scope = new AsyncResource('durably');
  /** Which of its runs wait for other runs. */
  readonly waits: RunWaits;
  readonly #changes = new Changes();

  constructor(deps: SlotsDeps) {
    this.#deps = deps;
    this.#leases = new LeaseKeeper(deps);
    this.#conclusions = new Conclusions(deps);
    const { maxConcurrentRuns } = deps;
    this.waits = new RunWaits({ maxConcurrentRuns });
  }

  /** The slot whose job is calling. Undefined outside of jobs, and in jobs of other instances. */
  get caller(): Slot | undefined {
    const context = currentRun();
    if (context === undefined) return undefined;
    const slot = this.#slots.get(context.runId);
    return slot?.context === context ? slot : undefined;
  }

  /** @throws {ConflictError} inside a job of one of its runs, because the call would wait for that run. */
  refuseCaller(calls: string): void {
    if (this.caller === undefined) return;
    throw new ConflictError(
      `${calls} cannot be called inside a job: they would wait for its run. Call them outside of jobs`,
    );
  }

  /**
   * Notes that the calling job waits for a run. If the worker is stopping and would not execute that
   * run, the calling run is handed back.
   */
  beginWait(
    awaited: Awaited & { readonly needsSlot: boolean },
    { isStopping }: { isStopping: boolean },
  ): RunWait {
    const waiter = currentExecution();
    // Code that continues after its job has ended holds no slot.
    if (waiter === undefined || waiter.control.hasEndedByItself) return { end: () => undefined };
    if (this.caller && awaited.needsSlot && isStopping) this.caller.handBack();
    waiter.control.throwIfOver();
    const wait = this.waits.begin(waiter, awaited);
    this.noteChange();
    return wait;
  }

  get taken(): number {
    return this.#slots.size;
  }

  /** Slots without a run, or with a run whose job is over and whose end is being stored. */
  get free(): number {
    return this.#deps.maxConcurrentRuns - this.#slots.size + this.#ending.size;
  }

  /** Notes that a claim leaves. */
  noteClaim(): void {
    this.#ending.noteClaim();
  }

  get hasSuspect(): boolean {
    return [...this.#slots.values()].some(({ run }) => isSuspect(run));
  }

  /**
   * The claimed runs that may be executed now. A claim that is asked again may have taken more runs than slots are free by
   * then. It may also return several suspects that were handed back before.
   */
  fitting(runs: readonly ClaimedRun[], { limit }: { limit: number }): readonly ClaimedRun[] {
    let suspects = this.hasSuspect ? 1 : 0;
    return runs.filter((run) => !isSuspect(run) || ++suspects === 1).slice(0, limit);
  }

  /**
   * Starts to execute a run. Its claim was sent at `claimedAtMs`, on the monotonic clock. `onInput` is told of its input before
   * its job begins. Undefined if its job is unknown.
   */
  fill(
    run: ClaimedRun,
    { claimedAtMs, onInput }: { claimedAtMs: number; onInput?: ((run: ClaimedRun) => void) | undefined },
  ): Slot | undefined {
    const { registry, bus } = this.#deps;
    const job = registry.get(run.jobName);
    if (!job) {
      const error = `claimed a run of the unknown job ${run.jobName}`;
      bus.reportWorkerError({ error, context: 'claim', runId: run.runId });
      return undefined;
    }
    // A worker that slept longer than its own lease may take a run over from itself.
    const earlier = this.#slots.get(run.runId);
    earlier?.control.stop('lease-lost');
    if (earlier !== undefined) this.#ending.remove(earlier);
    const control = new RunControl(run, (error) =>
      bus.reportWorkerError({ error, context: 'abort-listener', runId: run.runId }),
    );
    const journal = new OwnerJournal(run, { ...this.#deps, logBudget: this.#logBudget });
    this.#leases.hold(control, { claimedAtMs });
    const freesRuns =
      run.concurrencyKey !== null ||
      registry.limitsOf(run.jobName) !== undefined ||
      registry.isAnnounced(run);
    const slot = new Slot({ run, control, journal, freesRuns });
    // Set before the job starts, because its first call may ask which slot it has.
    this.#slots.set(run.runId, slot);
    this.waits.enter(slot);
    const { clock } = this.#deps;
    const databaseNowMs = () => run.databaseAheadMs + clock.monotonicMs();
    const isAwaitingRun = () => this.waits.isWaiting(control.lease);
    const onEnding = (left: LeftWork) => this.#noteEnding(slot, left);
    slot.done = this.#scope
      .runInAsyncScope(() =>
        executeRun(
          { run, job, control, journal, databaseNowMs, isAwaitingRun, onInput, onEnding },
          this.#deps,
        ),
      )
      .then(
        (ending) => this.#conclusions.conclude(run, ending),
        (error: unknown) => this.#conclusions.abandon(run, error),
      )
      .finally(() => this.#free(slot));
    return slot;
  }

  /** Stops the execution of a run that was cancelled in this process. */
  cancel(runId: string): void {
    this.#slots.get(runId)?.control.stop('cancelled');
  }

  /** Resolves when nothing is executed except the runs that `spared` returns at that time. */
  async settled(spared: () => ReadonlySet<RunContext> = () => NOBODY): Promise<void> {
    for (;;) {
      const awaited = this.#except(spared());
      if (awaited.length === 0) return;
      await this.#changes.nextOr(Promise.all(awaited.map(({ done }) => done)));
    }
  }

  /** Its runs that wait for other runs. */
  get waiting(): Slot[] {
    return [...this.#slots.values()].filter(({ context }) => this.waits.isWaiting(context));
  }

  /** Stops all executions. Nothing of them can be stored. */
  abandonAll(): void {
    for (const { control } of this.#slots.values()) control.stop('database-closed');
  }

  /** A run has begun to wait for another one, so those who wait for the slots look again. */
  noteChange(): void {
    this.#changes.note();
  }

  /**
   * Stops all executions except the spared ones, stores their notes, and returns their runs to pending. Runs whose end is being
   * stored are not waited for: that may take longer.
   */
  async handBackAll(spared: () => ReadonlySet<RunContext> = () => NOBODY): Promise<void> {
    const recalled = this.#except(spared()).filter(({ control }) => control.stop('recalled'));
    await Promise.all(recalled.map(({ done }) => done));
    await this.handBack(recalled.map(({ control }) => control.lease));
  }

  #except(spared: ReadonlySet<RunContext>): Slot[] {
    return [...this.#slots.values()].filter(({ context }) => !spared.has(context));
  }

  /** {@link Conclusions.handBack} */
  async handBack(leases: readonly Lease[]): Promise<void> {
    await this.#conclusions.handBack(leases);
  }

  #noteEnding(slot: Slot, left: LeftWork): void {
    // If this worker took the run over from itself, the slot has already lost its place.
    if (this.#slots.get(slot.run.runId) !== slot) return;
    const all = left === 'nothing' ? leftBy(slot) : left;
    this.#ending.add(slot, all);
    this.#deps.onFree(all);
  }

  #free(slot: Slot): void {
    const { run, control } = slot;
    this.#leases.release(control);
    this.waits.leave(slot);
    if (this.#slots.get(run.runId) === slot) this.#slots.delete(run.runId);
    const left = this.#ending.remove(slot);
    if (left === 'nothing') this.#deps.onEmptied();
    else this.#deps.onFree(left ?? leftBy(slot));
  }
}

/** A freed concurrency key, or a place within its job's limits, may allow another run to start. A delivery is another run. */
function leftBy({ freesRuns }: Slot): LeftWork {
  return freesRuns ? 'run' : 'nothing';
}

const NOBODY: ReadonlySet<RunContext> = new Set();
