import type { Clock } from '../../core/time/clock.ts';

/** At most this many times are remembered. Polls find the runs of the others. */
const MAX_REMEMBERED = 10_000;
/** Times within this many ms ring once. */
const ROUND_MS = 10;

/** Rings when a run that this process put to wait is due. Polls find the runs of other processes. */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  /** When to ring, on the monotonic clock. The earliest time is the last item. */
  #dueMs: number[] = [];
  #cancel: () => void = () => undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings after `inMs`. */
  set(inMs: number): void {
    const dueMs = Math.ceil((this.#clock.monotonicMs() + inMs) / ROUND_MS) * ROUND_MS;
    const place = this.#dueMs.findLastIndex((each) => each >= dueMs) + 1;
    if (this.#dueMs[place - 1] === dueMs) return;
    this.#dueMs.splice(place, 0, dueMs);
    // The latest time is forgotten.
    if (this.#dueMs.length > MAX_REMEMBERED) this.#dueMs.shift();
    if (this.#dueMs.at(-1) === dueMs) this.#schedule();
  }

  /** Forgets all times. */
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
