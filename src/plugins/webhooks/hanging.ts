/** How long a receiver that did not answer in time is left alone. */
const LEFT_ALONE_MS = 30_000;
const MAX_REMEMBERED = 1_000;

/** The receivers that let a delivery wait for its whole time. Others to them would only take slots, too. */
export class HangingReceivers {
  readonly #until = new Map<string, number>();
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  note(origin: string): void {
    const nowMs = this.#monotonicMs();
    for (const [each, untilMs] of this.#until) if (untilMs <= nowMs) this.#until.delete(each);
    if (this.#until.size < MAX_REMEMBERED) this.#until.set(origin, nowMs + LEFT_ALONE_MS);
  }

  /** How long it is left alone from now on, ms. 0 for others. */
  restMs(origin: string): number {
    return Math.max(0, (this.#until.get(origin) ?? 0) - this.#monotonicMs());
  }

  forget(origin: string): void {
    this.#until.delete(origin);
  }
}
