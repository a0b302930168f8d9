import { type Deadlines, TimeUpError, type Waiter } from './deadline.ts';

interface Queued extends Waiter {
  enter(): void;
}

/**
 * Lets one in at a time, in the order they came. Only who is in meets the lock
 * of another connection again and again; the others wait here, where waiting
 * costs nothing, each until its own time is up.
 */
export class Line {
  readonly #deadlines: Deadlines;
  readonly #queue = new Set<Queued>();
  #isTaken = false;

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  /** Undefined when it is in at once. @throws {TimeUpError} by the promise */
  enter(deadlineMs: number): Promise<void> | undefined {
    if (!this.#isTaken) {
      this.#isTaken = true;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const queued: Queued = {
        deadlineMs,
        enter: resolve,
        expire: () => {
          this.#queue.delete(queued);
          reject(new TimeUpError());
        },
      };
      this.#queue.add(queued);
      this.#deadlines.add(queued);
    });
  }

  leave(): void {
    for (const next of this.#queue) {
      this.#queue.delete(next);
      this.#deadlines.remove(next);
      next.enter();
      return;
    }
    this.#isTaken = false;
  }
}
