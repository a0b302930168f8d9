import type { Clock } from '../core/clock.ts';
import { DatabaseUnavailableError } from '../core/errors/errors.ts';

/** A caller's time is up, and what it asked for was, by all that is known, not done. */
export class TimeUpError extends DatabaseUnavailableError {
  constructor(cause?: unknown) {
    super('The database stayed busy', { cause });
  }
}

/** Somebody who waits, and for how long. */
export interface Waiter {
  /** On the monotonic clock. */
  readonly deadlineMs: number;
  /** Called once, when the time is up. */
  expire(): void;
}

/** Calls those whose time is up, with one timer for all. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();
  #dueMs = Number.POSITIVE_INFINITY;
  #cancel: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(waiter: Waiter): void {
    this.#waiters.add(waiter);
    if (waiter.deadlineMs < this.#dueMs) this.#schedule(waiter.deadlineMs);
  }

  remove(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    if (this.#waiters.size === 0) this.#schedule(Number.POSITIVE_INFINITY);
  }

  #schedule(dueMs: number): void {
    this.#cancel();
    this.#dueMs = dueMs;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(0, dueMs - this.#clock.monotonicMs());
    this.#cancel = this.#clock.schedule(delayMs, () => this.#expire());
  }

  #expire(): void {
    const now = this.#clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const waiter of [...this.#waiters]) {
      if (waiter.deadlineMs > now) {
        nextMs = Math.min(nextMs, waiter.deadlineMs);
      } else {
        this.#waiters.delete(waiter);
        waiter.expire();
      }
    }
    this.#schedule(nextMs);
  }
}
