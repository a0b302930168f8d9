import type { Clock } from '../../core/time/clock.ts';

const MAX_CLAIM_PAUSE_MS = 30_000;

/**
 * When a worker's loop claims next: at once if it was woken or the last claim left runs behind,
 * otherwise once per polling interval. While claims fail, it pauses longer.
 *
 * Claims may be answered in another order than they were executed. Then `hasMore` is that of an
 * older claim, which costs an empty claim or a wait until the next poll.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #pollingIntervalMs: number;
  #isWoken = false;
  /** The last claim left runs behind, because it had taken as many as it may. */
  #hasMore = false;
  #nextMs = Number.NEGATIVE_INFINITY;
  #failedClaims = 0;
  /** When a claim looked for waiting runs last. */
  #lookedMs = Number.POSITIVE_INFINITY;

  constructor({ clock, pollingIntervalMs }: { clock: Clock; pollingIntervalMs: number }) {
    this.#clock = clock;
    this.#pollingIntervalMs = pollingIntervalMs;
  }

  /** How long the next claim has to wait. 0 or less if it is due. */
  get waitMs(): number {
    if (this.#isWoken || this.#hasMore) return 0;
    // Each claim postpones the poll, but not each claim looks for due waiting runs.
    const lookMs =
      this.#failedClaims > 0 ? Number.POSITIVE_INFINITY : this.#lookedMs + this.#pollingIntervalMs;
    return Math.min(this.#nextMs, lookMs) - this.#clock.monotonicMs();
  }

  /** Whether no claim has looked for due waiting runs for a polling interval. */
  get isLookDue(): boolean {
    return this.#lookedMs + this.#pollingIntervalMs <= this.#clock.monotonicMs();
  }

  /** How long until a look is due. */
  get lookWaitMs(): number {
    if (this.#lookedMs === Number.POSITIVE_INFINITY) return this.#pollingIntervalMs;
    return Math.max(0, this.#lookedMs + this.#pollingIntervalMs - this.#clock.monotonicMs());
  }

  /** A look leaves by itself. */
  looked(): void {
    this.#lookedMs = this.#clock.monotonicMs();
  }

  /** Something may have to be executed. */
  wake(): void {
    this.#isWoken = true;
  }

  /** Forgets earlier failures. */
  reset(): void {
    this.#failedClaims = 0;
  }

  claimBegins(): void {
    this.#isWoken = false;
    this.#rest();
  }

  claimSucceeded({ hasMore, hasLooked }: { hasMore: boolean; hasLooked: boolean }): void {
    if (hasLooked) this.#lookedMs = this.#clock.monotonicMs();
    this.#failedClaims = 0;
    this.#hasMore = hasMore;
  }

  claimFailed(): void {
    // A wake that came during the claim waits for the pause, too. Otherwise the next claim would fail at once.
    this.#isWoken = false;
    this.#hasMore = false;
    this.#failedClaims++;
  }

  claimEnds(): void {
    this.#rest();
  }

  #rest(): void {
    this.#nextMs = this.#clock.monotonicMs() + this.#pauseMs();
  }

  #pauseMs(): number {
    if (this.#failedClaims === 0) return this.#pollingIntervalMs;
    const pauseMs = Math.min(MAX_CLAIM_PAUSE_MS, this.#pollingIntervalMs * 2 ** (this.#failedClaims - 1));
    return pauseMs * (0.5 + Math.random() / 2);
  }
}
