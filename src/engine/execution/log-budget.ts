/** The log lines of all runs of a worker that wait to be stored take so much memory together at most. */
const MAX_BYTES = 64 * 1024 * 1024;

/** What the log lines of a worker's runs take in memory until they are stored. */
export class LogBudget {
  #taken = 0;

  /**
   * Whether a run whose lines take `held` bytes may take so many more: while it holds no more than is left for the
   * others. One run that floods the log gets half of the budget, and a run that writes little always finds room. A
   * line is taken whatever its size if nothing waits.
   */
  allows({ held, bytes }: { readonly held: number; readonly bytes: number }): boolean {
    return this.#taken === 0 || held + bytes <= MAX_BYTES - this.#taken;
  }

  take(bytes: number): void {
    this.#taken += bytes;
  }

  release(bytes: number): void {
    this.#taken -= bytes;
  }
}
