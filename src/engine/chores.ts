import type { WorkerErrorContext } from '../core/errors/worker-error-context.ts';
import type { OldAge } from '../core/managing/retention.ts';
import type { Store } from '../core/store.ts';
import type { Clock } from '../core/time/clock.ts';
import type { EventBus } from './events/event-bus.ts';

const MINUTE_MS = 60 * 1000;
const HOUR_MS = 60 * MINUTE_MS;
/** The least pause between two portions. Other writers get as much time as the portion took. */
const MIN_PAUSE_MS = 5;

/** How often old runs are looked for at most. */
const MIN_RETENTION_MS = 1_000;
/** Something that is done now and then. Any number of processes may do it at once. */
interface Chore {
  readonly name: string;
  /** How a failure is reported. */
  readonly context: WorkerErrorContext;
  /** How often a resident worker does it. */
  readonly everyMs: number;
  /** How long after its start a resident worker does it for the first time. Default: `everyMs`. */
  readonly firstAfterMs?: number;
  /** How long after a failure a resident worker tries it again. Default: at its next time. */
  readonly againAfterMs?: number;
  /**
   * How many portions a worker on demand does after a shift, within the shift's budget, and after a
   * run was deleted. Such a worker has no loop, and its platform limits the requests.
   */
  readonly portionsOnDemand: { readonly afterShift: number; readonly afterDeletion: number };
  /** Does one portion in one statement, so that no writer waits long. Answers whether there is more. */
  readonly run: (store: Store, bus: EventBus) => Promise<boolean>;
}

/** How many portions a caller of a command for many runs waits for. */
const CANCELLATIONS_NOW = 60;
/** A platform allows a limited number of requests. */
const CANCELLATIONS_ON_DEMAND = 10;

const REMAINS_OF_DELETED_RUNS: Chore = {
  name: 'remove the rows that deleted runs left over',
  context: 'purge',
  everyMs: HOUR_MS,
  // Rows that a crash left over are not urgent, so a start does not begin with them.
  firstAfterMs: 10 * MINUTE_MS,
  portionsOnDemand: { afterShift: Number.POSITIVE_INFINITY, afterDeletion: 10 },
  run: (store) => store.deletePortion(),
};

const RUNS_BELOW: Chore = {
  name: 'cancel the runs below a run that was cancelled, or whose time was up',
  context: 'cancel-below',
  // The worker asks for it when that happens. The interval is for a worker that vanished just then.
  everyMs: MINUTE_MS,
  // Those runs go on meanwhile.
  againAfterMs: 1_000,
  portionsOnDemand: { afterShift: CANCELLATIONS_ON_DEMAND, afterDeletion: 0 },
  run: async (store, bus) => {
    const { cancelled, more } = await store.cancelBelow();
    bus.publish(cancelled.map((run) => ({ run, note: { type: 'run:cancel' } })));
    return more;
  },
};

const LIMITS_OF_OTHERS: Chore = {
  name: 'learn whether other processes use limits',
  context: 'claim',
  // Until then this process does not claim the runs in their lines.
  everyMs: MINUTE_MS,
  portionsOnDemand: { afterShift: 0, afterDeletion: 0 },
  run: async (store) => {
    await store.noticeLimits();
    return false;
  },
};

/** Removes runs that ended long ago, and then the rest of their rows. */
function oldRuns(ages: readonly OldAge[]): Chore {
  const shortestMs = Math.min(...ages.map(({ olderThanMs }) => olderThanMs));
  return {
    name: 'remove old runs',
    context: 'purge',
    everyMs: Math.min(MINUTE_MS, Math.max(MIN_RETENTION_MS, shortestMs)),
    portionsOnDemand: { afterShift: Number.POSITIVE_INFINITY, afterDeletion: 0 },
    run: async (store, bus) => {
      const { runs } = await store.purgeRuns({ ages, limit: Number.MAX_SAFE_INTEGER });
      bus.publish(runs.map((run) => ({ run, note: { type: 'run:delete' } })));
      return runs.length > 0 || (await store.deletePortion());
    },
  };
}

/** In the order in which they are done when several are due. */
const CHORES: readonly Chore[] = [
  RUNS_BELOW,
  LIMITS_OF_OTHERS,
  REMAINS_OF_DELETED_RUNS,
  {
    name: 'remove old run:delete rows, and throttles that are over',
    context: 'purge',
    everyMs: HOUR_MS,
    portionsOnDemand: { afterShift: 0, afterDeletion: 1 },
    run: async (store) => {
      const hasMore = await store.purgePortion();
      return (await store.forgetThrottles()) || hasMore;
    },
  },
];

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
  readonly #cancelTimers = new Map<Chore, () => void>();
  readonly #cancelRetries = new Map<Chore, () => void>();
  readonly #due = new Set<Chore>();
  #cancelPause: (() => void) | undefined;
  #working: Promise<void> | undefined;
  /** Counts the stops. Work that began before a stop ends at its next portion. */
  #session = 0;

  /** @param deps.retention how long runs are kept after their end. Empty for ever. */
  constructor(deps: { store: Store; bus: EventBus; clock: Clock; retention?: readonly OldAge[] }) {
    const { retention = [] } = deps;
    this.#chores = retention.length === 0 ? CHORES : [...CHORES, oldRuns(retention)];
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

  /** Cancels what is left below cancelled runs and runs whose time was up, in the background. Errors are reported. */
  cancelBelow(): void {
    this.#ask(RUNS_BELOW);
  }

  /** The same while the caller waits, as far as that goes on demand. Later shifts do the rest. Never rejects. */
  async cancelBelowOnDemand(): Promise<void> {
    await this.#doPortions(RUNS_BELOW, CANCELLATIONS_ON_DEMAND);
  }

  /** The same for the runs below many cancelled ones, while the caller waits. Never rejects. */
  async cancelBelowNow(): Promise<void> {
    await this.#doPortions(RUNS_BELOW, CANCELLATIONS_NOW);
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
  async clearUpWithin({ untilMs, signal }: Budget): Promise<void> {
    const hasTime = () => !signal?.aborted && this.#clock.monotonicMs() < untilMs;
    for (const chore of this.#chores)
      await this.#doPortions(chore, chore.portionsOnDemand.afterShift, hasTime);
  }

  /** On demand, while the caller of a deletion waits. Never rejects. */
  async clearUpAfterDeletion({ leavesMore }: { leavesMore: boolean }): Promise<void> {
    const isNeeded = (chore: Chore) => chore !== REMAINS_OF_DELETED_RUNS || leavesMore;
    for (const chore of this.#chores.filter(isNeeded)) {
      await this.#doPortions(chore, chore.portionsOnDemand.afterDeletion);
    }
  }

  async #doPortions(chore: Chore, atMost: number, hasTime = () => true): Promise<void> {
    try {
      for (let done = 0; done < atMost && hasTime(); done++) {
        if (!(await chore.run(this.#store, this.#bus))) return;
      }
    } catch (error) {
      this.#report(chore, error);
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
