import type { newCall } from '../core/call.ts';
import type { OldAge } from '../core/managing/retention.ts';
import type { Store } from '../core/store.ts';
import type { Clock } from '../core/time/clock.ts';
import {
  CANCELLATIONS_NOW,
  CHORES,
  type Chore,
  newStats,
  OLD_DELIVERIES,
  oldRuns,
  publishCancelled,
  REMAINS_OF_DELETED_RUNS,
  RUNS_BELOW,
} from './chores.ts';
import type { EventBus } from './events/event-bus.ts';

/** The least pause between two portions. Other writers get as much time as the portion took. */
const MIN_PAUSE_MS = 5;

/** The call of a caller that waits. */
type Deadline = ReturnType<typeof newCall>;

interface Budget {
  readonly untilMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Does the chores, one after another. */
export class Housekeeping {
  readonly #store: Store;
  readonly #bus: EventBus;
  readonly #clock: Clock;
  readonly #chores: readonly Chore[];
  readonly #presence: 'resident' | 'on-demand';
  readonly #cancelTimers = new Map<Chore, () => void>();
  readonly #cancelRetries = new Map<Chore, () => void>();
  readonly #due = new Set<Chore>();
  #cancelPause: (() => void) | undefined;
  #working: Promise<void> | undefined;
  #isBelowLeft = false;
  /** Counts the stops. Work that began before a stop ends at its next portion. */
  #session = 0;

  /** @param deps.retention how long runs are kept after their end. Empty for ever. */
  constructor(deps: {
    store: Store;
    bus: EventBus;
    clock: Clock;
    presence?: 'resident' | 'on-demand';
    retention?: readonly OldAge[];
    hasWebhooks?: boolean;
  }) {
    const { presence = 'resident', retention = [], hasWebhooks = false } = deps;
    this.#presence = presence;
    this.#chores = [
      ...CHORES,
      newStats(),
      ...(retention.length === 0 ? [] : [oldRuns(retention)]),
      ...(hasWebhooks ? [OLD_DELIVERIES] : []),
    ];
    this.#store = deps.store;
    this.#bus = deps.bus;
    this.#clock = deps.clock;
  }

  /** Does each chore in its interval from now on. */
  start(): void {
    this.#cancelAllTimers();
    for (const chore of this.#chores) {
      const { everyMs, firstAfterMs = everyMs } = chore;
      // The interval is counted from the start, even if the first time comes earlier.
      this.#schedule(chore, firstAfterMs, everyMs - (firstAfterMs % everyMs));
    }
  }

  /**
   * Cancels what is left below cancelled runs and runs whose time was up, in the background. Errors are reported. On demand,
   * the shift does it.
   */
  cancelBelow(): void {
    if (this.#presence === 'resident') this.#ask(RUNS_BELOW);
    else this.#isBelowLeft = true;
  }

  /** The same on demand, as part of a shift. It leaves with the shift's claim. Never rejects. */
  async cancelBelowWithin(budget: Budget): Promise<void> {
    this.#isBelowLeft = false;
    await this.#doPortions(RUNS_BELOW, RUNS_BELOW.portionsOnDemand.afterShift, () => this.#hasTime(budget));
  }

  /** Whether {@link cancelBelow} was asked for on demand, and not done yet. */
  get isBelowLeft(): boolean {
    return this.#isBelowLeft;
  }

  /** The same while the caller waits, a limited number of portions. Later shifts or the loop do the rest. Never rejects. */
  async cancelBelowNow(call: Deadline): Promise<void> {
    await this.#doPortions(RUNS_BELOW, CANCELLATIONS_NOW[this.#presence], this.#timeOf(call), call);
  }

  /**
   * The same for the runs that one run has started. Returns false if none was to be cancelled. The caller needs it, so it
   * rejects if the database fails.
   */
  async cancelBelowRun(runId: string, call: Deadline): Promise<boolean> {
    let isAny = false;
    for (let done = 0; done < CANCELLATIONS_NOW[this.#presence]; done++) {
      const { cancelled, more } = await this.#store.cancelBelow(runId, call);
      publishCancelled(this.#bus, cancelled);
      isAny ||= cancelled.length > 0;
      if (!more) break;
      isAny = true;
    }
    return isAny;
  }

  /** Removes what deleted runs left over, in the background. Errors are reported. */
  clearUp(): void {
    this.#ask(REMAINS_OF_DELETED_RUNS);
  }

  /** Resolves when the portion under way is done. Another process, or the next start, does the rest. */
  async stop(): Promise<void> {
    this.#session++;
    this.#due.clear();
    this.#cancelAllTimers();
    this.#cancelPause?.();
    await this.#working;
  }

  /** On demand, after a shift: without a pause, until the budget is used up. Never rejects. */
  async clearUpWithin(budget: Budget): Promise<void> {
    this.#isBelowLeft = false;
    const hasTime = () => this.#hasTime(budget);
    for (const chore of this.#chores)
      await this.#doPortions(chore, chore.portionsOnDemand.afterShift, hasTime);
  }

  /** On demand, while the caller of a deletion waits. Never rejects. */
  async clearUpAfterDeletion({ leavesMore }: { leavesMore: boolean }, call: Deadline): Promise<void> {
    const isNeeded = (chore: Chore) => chore !== REMAINS_OF_DELETED_RUNS || leavesMore;
    for (const chore of this.#chores.filter(isNeeded)) {
      // Another chore would meet the same trouble, and the caller waits.
      const { afterDeletion } = chore.portionsOnDemand;
      if (!(await this.#doPortions(chore, afterDeletion, this.#timeOf(call), call))) return;
    }
  }

  #hasTime({ untilMs, signal }: Budget): boolean {
    return !signal?.aborted && this.#clock.monotonicMs() < untilMs;
  }

  #timeOf({ deadlineMs }: Deadline): () => boolean {
    return () => this.#clock.monotonicMs() < deadlineMs;
  }

  /** False if it failed. */
  async #doPortions(chore: Chore, atMost: number, hasTime: () => boolean, call?: Deadline): Promise<boolean> {
    try {
      for (let done = 0; done < atMost && hasTime(); done++) {
        if (!(await chore.run(this.#store, this.#bus, call))) return true;
      }
      return true;
    } catch (error) {
      this.#report(chore, error);
      return false;
    }
  }

  #schedule(chore: Chore, delayMs: number, nextDelayMs: number): void {
    const cancel = this.#clock.schedule(delayMs, () => {
      this.#ask(chore);
      this.#schedule(chore, nextDelayMs, chore.everyMs);
    });
    this.#cancelTimers.set(chore, cancel);
  }

  #cancelAllTimers(): void {
    for (const timers of [this.#cancelTimers, this.#cancelRetries]) {
      for (const cancel of timers.values()) cancel();
      timers.clear();
    }
  }

  #ask(chore: Chore): void {
    this.#due.add(chore);
    this.#work();
  }

  #work(): void {
    this.#working ??= this.#doDueChores().finally(() => {
      this.#working = undefined;
      // A chore may have become due while the earlier work was stopping.
      if (this.#due.size > 0) this.#work();
    });
  }

  async #doDueChores(): Promise<void> {
    const session = this.#session;
    const isStopped = () => session !== this.#session;
    for (;;) {
      const chore = this.#chores.find((each) => this.#due.has(each));
      if (chore === undefined || isStopped()) return;
      this.#due.delete(chore);
      try {
        await this.#doAllOf(chore, isStopped);
      } catch (error) {
        if (isStopped()) return;
        this.#report(chore, error);
        this.#tryAgain(chore);
      }
    }
  }

  #tryAgain(chore: Chore): void {
    if (chore.againAfterMs === undefined) return;
    this.#cancelRetries.get(chore)?.();
    const cancel = this.#clock.schedule(chore.againAfterMs, () => this.#ask(chore));
    this.#cancelRetries.set(chore, cancel);
  }

  async #doAllOf(chore: Chore, isStopped: () => boolean): Promise<void> {
    while (!isStopped()) {
      const startMs = this.#clock.monotonicMs();
      if (!(await chore.run(this.#store, this.#bus)) || isStopped()) return;
      await this.#pause(this.#clock.monotonicMs() - startMs);
    }
  }

  async #pause(tookMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.schedule(Math.max(MIN_PAUSE_MS, tookMs), resolve);
      this.#cancelPause = () => {
        cancel();
        resolve();
      };
    });
  }

  #report({ context }: Chore, error: unknown): void {
    this.#bus.reportWorkerError({ error, context });
  }
}
