/** Tells those who wait that something has changed, so that they look again. */
export class Changes {
  readonly #waiting = new Set<() => void>();

  note(): void {
    for (const resolve of this.#waiting) resolve();
  }

  /** Resolves at the next change, or when the work is done. */
  async nextOr(work: Promise<unknown>): Promise<void> {
    let note: () => void = () => undefined;
    const changed = new Promise<void>((resolve) => {
      note = resolve;
    });
    this.#waiting.add(note);
    await Promise.race([changed, work]);
    this.#waiting.delete(note);
  }
}
