import type { Clock } from '../../core/clock.ts';

/** The process remembers so many; others are found by the polls. */
const MAX_REMEMBERED = 10_000;
/** Times so close together ring once. */
const ROUND_MS = 10;

/** Rings when a run that this process put to wait is due. Other processes' runs are found by polls. */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  /** On the monotonic clock, the earliest last. */
  #dueMs: number[] = [];
  #cancel: () => void = () => undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings in so many ms. */
  set(inMs: number): void {
    const dueMs = Math.ceil((this.#clock.monotonicMs() + inMs) / ROUND_MS) * ROUND_MS;
    const place = this.#dueMs.findLastIndex((each) => each >= dueMs) + 1;
    if (this.#dueMs[place - 1] === dueMs) return;
    this.#dueMs.splice(place, 0, dueMs);
    // The latest one is forgotten.
    if (this.#dueMs.length > MAX_REMEMBERED) this.#dueMs.shift();
    if (this.#dueMs.at(-1) === dueMs) this.#schedule();
  }

  /** Rings no more for what it was set to. */
  clear(): void {
    this.#dueMs = [];
    this.#cancel();
  }

  #schedule(): void {
    this.#cancel();
    const next = this.#dueMs.at(-1);
    if (next === undefined) return;
    const inMs = Math.max(0, next - this.#clock.monotonicMs());
    this.#cancel = this.#clock.schedule(inMs, () => {
      const nowMs = this.#clock.monotonicMs();
      while ((this.#dueMs.at(-1) ?? Number.POSITIVE_INFINITY) <= nowMs) this.#dueMs.pop();
      this.#schedule();
      this.#ring();
    });
  }
}
