/** The most memory for the log lines of a worker's runs that wait to be stored. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Limits the memory that the log lines of a worker's runs take until they are stored. */
export class LogBudget {
  #taken = 0;

  /**
   * Whether a run that holds `held` bytes may take `bytes` more. A run may hold as much as is still free. So a run that
   * floods the log gets half of the budget, and a run that writes little always finds room. If nothing waits, a line of
   * any size is accepted.
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
