import { type PauseBounds, retryPauseMs } from '../core/retry-pause.ts';

const BUSY_PAUSE: PauseBounds = { firstMs: 20, maxMs: 250 };
/** A request that is lost after this long got no answer: the database hangs. */
const SILENT_AFTER_MS = 10_000;
/** The pause after a request that got no answer. It doubles with each of them in a row. */
const FIRST_REST_MS = 1_000;
const MAX_REST_MS = 30_000;

/** How long to wait between two requests, the first of which failed; ms. */
export class Pauses {
  /** Requests in a row that failed. */
  #failed = 0;
  /** Those of them that were given up without an answer. */
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
