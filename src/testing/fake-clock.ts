import type { Clock } from '../core/time/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly task: () => void;
}

/** A clock that moves only when it is told to. */
export class FakeClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();

  constructor(startMs = Date.UTC(2030, 0, 1)) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  schedule(delayMs: number, task: () => void): () => void {
    const timer = { dueMs: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, task };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** The time until each scheduled task, the next one first, ms. */
  get pendingMs(): number[] {
    return this.#inOrder().map(({ dueMs }) => dueMs - this.#elapsedMs);
  }

  /** Lets time pass and runs the tasks that become due, in order. */
  advance(ms: number): void {
    const untilMs = this.#elapsedMs + ms;
    for (;;) {
      const [next] = this.#inOrder();
      if (!next || next.dueMs > untilMs) break;
      this.#timers.delete(next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
      next.task();
    }
    this.#elapsedMs = untilMs;
  }

  /** Lets time pass as for a stopped process: tasks that became due meanwhile run late, afterwards. */
  standStill(ms: number): void {
    this.#elapsedMs += ms;
    this.advance(0);
  }

  #inOrder(): Timer[] {
    return [...this.#timers].sort((a, b) => a.dueMs - b.dueMs || a.order - b.order);
  }
}
