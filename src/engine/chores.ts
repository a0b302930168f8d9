import type { Clock } from '../core/clock.ts';
import type { Store } from '../core/store.ts';
import type { EventBus } from './events/event-bus.ts';

const INTERVAL_MS = 60 * 60 * 1000;
/** Rows that a crash left over are not urgent, so a start does not begin with them. */
const FIRST_AFTER_MS = 10 * 60 * 1000;
/** The pause between two portions, for other writers: as long as the portion took, and at least this long. */
const MIN_PAUSE_MS = 5;

/** A platform limits the requests, so one shift removes a few portions and leaves the rest to later ones. */
const MAX_PORTIONS_ON_DEMAND = 10;

interface Budget {
  readonly untilMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Removes rows that nobody reads any more: those that deleted runs left over, and old
 * `run:delete` rows. Each portion is one statement, so that no writer waits long. Any
 * number of processes may do so at once.
 */
export class Housekeeping {
  readonly #store: Store;
  readonly #bus: EventBus;
  readonly #clock: Clock;
  #cancelRounds: (() => void) | undefined;
  #cancelPause: (() => void) | undefined;
  #working: Promise<void> | undefined;
  #isDue = false;
  #isPurgeDue = false;
  /** Counts the stops. A round that began before a stop ends at its next portion. */
  #session = 0;

  constructor(deps: { store: Store; bus: EventBus; clock: Clock }) {
    this.#store = deps.store;
    this.#bus = deps.bus;
    this.#clock = deps.clock;
  }

  /** Starts the hourly round, and a first one for deleted runs after ten minutes. */
  start(): void {
    this.#cancelRounds?.();
    const cancelFirst = this.#clock.schedule(FIRST_AFTER_MS, () => this.clearUp());
    let cancelNext: () => void = () => undefined;
    const scheduleNext = () => {
      cancelNext = this.#clock.schedule(INTERVAL_MS, () => {
        this.clearUp({ purges: true });
        scheduleNext();
      });
    };
    scheduleNext();
    this.#cancelRounds = () => {
      cancelFirst();
      cancelNext();
    };
  }

  /** Clears up in the background. Errors are reported: the next round goes on. */
  clearUp({ purges = false } = {}): void {
    this.#isDue = true;
    this.#isPurgeDue ||= purges;
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
      // Asked for while an earlier round was being stopped.
      if (this.#isDue) this.clearUp();
    });
  }

  /** Ends after the portion under way. Another process, or the next start, does the rest. */
  async stop(): Promise<void> {
    this.#session++;
    this.#isDue = false;
    this.#isPurgeDue = false;
    this.#cancelRounds?.();
    this.#cancelPause?.();
    await this.#working;
  }

  /** Clears up without a pause, until nothing is left or the budget is spent. Never rejects. */
  async clearUpWithin({ untilMs, signal }: Budget): Promise<void> {
    const hasTime = () => !signal?.aborted && this.#clock.monotonicMs() < untilMs;
    try {
      while (hasTime() && (await this.#store.deletePortion()));
    } catch (error) {
      this.#report(error);
    }
  }

  /** On demand, while the caller waits: a few portions, and one of old rows. Never rejects. */
  async clearUpAfterDeletion({ leavesMore }: { leavesMore: boolean }): Promise<void> {
    try {
      let portions = leavesMore ? MAX_PORTIONS_ON_DEMAND : 0;
      while (portions-- > 0 && (await this.#store.deletePortion()));
      await this.#store.purgePortion();
    } catch (error) {
      this.#report(error);
    }
  }

  async #work(): Promise<void> {
    const session = this.#session;
    const isOver = () => session !== this.#session;
    try {
      while (this.#isDue && !isOver()) {
        this.#isDue = false;
        await this.#removeAll(() => this.#store.deletePortion(), isOver);
        if (!this.#isPurgeDue) continue;
        this.#isPurgeDue = false;
        await this.#removeAll(() => this.#store.purgePortion(), isOver);
      }
    } catch (error) {
      if (!isOver()) this.#report(error);
    }
  }

  async #removeAll(removePortion: () => Promise<boolean>, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const startMs = this.#clock.monotonicMs();
      if (!(await removePortion()) || isOver()) return;
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

  #report(error: unknown): void {
    this.#bus.reportWorkerError({ error, context: 'purge' });
  }
}
