import type { Clock } from '../core/clock.ts';
import type { Store } from '../core/store.ts';
import type { EventBus } from './events/event-bus.ts';

const INTERVAL_MS = 60 * 60 * 1000;
/** What a crash left over hurts nobody: a start has more urgent things to ask. */
const FIRST_AFTER_MS = 10 * 60 * 1000;
/** Other writers get in between two portions: as long as one took, and at least so long. */
const MIN_PAUSE_MS = 5;

/** The rest is for the shifts to come: a platform allows only so many requests. */
const MAX_PORTIONS_ON_DEMAND = 10;

interface Budget {
  readonly untilMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Clears away what nobody reads any more: what deleted runs have left over, and
 * old `run:delete` rows. In portions, each one statement, so that no writer
 * waits for long; in any number of processes at once.
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
  /** Counts the stops: what was begun before one ends at its next portion. */
  #session = 0;

  constructor(deps: { store: Store; bus: EventBus; clock: Clock }) {
    this.#store = deps.store;
    this.#bus = deps.bus;
    this.#clock = deps.clock;
  }

  /** Clears up each hour, what deleted runs have left over after ten minutes already. */
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

  /** Ends after the portion under way; what is left waits for another process, or the next start. */
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

  /** On demand, for the caller waits for it: a few portions, and one of old rows. Never rejects. */
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
