import { DatabaseUnavailableError } from '../core/errors/errors.ts';
import type { Clock } from '../core/time/clock.ts';

/** The caller's time is up. As far as is known, its request was not executed. */
export class TimeUpError extends DatabaseUnavailableError {
  constructor(cause?: unknown) {
    super('The database stayed busy', { cause });
  }
}

/** A caller that waits until a deadline. */
export interface Waiter {
  /** On the monotonic clock. */
  readonly deadlineMs: number;
  /** Called once, when the time is up. */
  expire(): void;
}

/** Notifies callers whose time is up. One timer serves them all. */
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
