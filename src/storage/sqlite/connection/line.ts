import { type Deadlines, TimeUpError, type Waiter } from '../../deadlines.ts';

interface Queued extends Waiter {
  enter(): void;
}

/**
 * Admits one statement at a time, or a few, in the order of their arrival. Only an admitted
 * statement meets the lock of another connection again and again. The others wait here, which costs
 * nothing, each until its deadline.
 */
export class Line {
  readonly #deadlines: Deadlines;
  readonly #queue = new Set<Queued>();
  #free: number;

  /** @param room how many are admitted at once. */
  constructor(deadlines: Deadlines, room = 1) {
    this.#deadlines = deadlines;
    this.#free = room;
  }

  /** Undefined if it is admitted at once. @throws {TimeUpError} by the promise */
  enter(deadlineMs: number): Promise<void> | undefined {
    if (this.#free > 0) {
      this.#free--;
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
    this.#free++;
  }
}
