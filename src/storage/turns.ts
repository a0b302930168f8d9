import { defer } from '../core/clock.ts';

/**
 * Who executes on a local database, one at a time; and at most one commit in
 * each turn of the event loop, which waits for the disk meanwhile: timers and
 * sockets get theirs in between.
 */
export class Turns {
  #last: Promise<void> = Promise.resolve();
  /** Set when there was a commit in this turn of the event loop; resolves in the next. */
  #nextLoopTurn: Promise<void> | undefined;

  /** Resolves when nothing else is executed, and whoever commits may; call the answer when that is over. */
  async take(commits: boolean): Promise<() => void> {
    for (;;) {
      while (commits && this.#nextLoopTurn) await this.#nextLoopTurn;
      const last = this.#last;
      let done: () => void = () => undefined;
      this.#last = new Promise((resolve) => {
        done = resolve;
      });
      await last;
      if (!commits || this.#nextLoopTurn === undefined) return done;
      // Whoever was before has committed: what comes after, and only reads, need not wait for the next turn.
      done();
    }
  }

  noteCommit(): void {
    this.#nextLoopTurn = new Promise((resolve) => {
      defer(() => {
        this.#nextLoopTurn = undefined;
        resolve();
      });
    });
  }
}
