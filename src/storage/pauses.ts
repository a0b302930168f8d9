import { type PauseBounds, retryPauseMs } from '../core/retries/retry-pause.ts';

const BUSY_PAUSE: PauseBounds = { firstMs: 20, maxMs: 250 };
/** If a request fails after this long, it got no answer: the database hangs. */
const SILENT_AFTER_MS = 10_000;
/** The pause after a request without an answer. It doubles with each such request in a row. */
const FIRST_REST_MS = 1_000;
const MAX_REST_MS = 30_000;

/** How long to wait after a request that failed; ms. */
export class Pauses {
  /** How many requests in a row have failed. */
  #failed = 0;
  /** How many of them got no answer. */
  #silent = 0;

  noteAnswer(): void {
    this.#failed = 0;
    this.#silent = 0;
  }

  afterBusyMs(): number {
    return Math.max(1, retryPauseMs(this.#failed++, BUSY_PAUSE));
  }

  afterLossMs({ waitedMs }: { readonly waitedMs: number }): number {
    if (waitedMs < SILENT_AFTER_MS) return this.afterBusyMs();
    return Math.min(MAX_REST_MS, FIRST_REST_MS * 2 ** this.#silent++);
  }
}
