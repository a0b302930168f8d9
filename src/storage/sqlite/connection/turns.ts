import { PORTION_BYTES } from '../../../core/json/portions.ts';
import { defer } from '../../../core/time/clock.ts';

/** What a row costs besides its texts. Thousands of small rows hold up the event loop, too. */
const ROW_BYTES = 1024;

/**
 * Decides which statement a local database executes next. Each statement holds up the event loop
 * until it is answered, so one turn of the loop executes one commit, which waits for the disk, and
 * reads about one portion. Timers and sockets are served in between.
 */
export class Turns {
  #last: Promise<void> = Promise.resolve();
  /** Set when this turn of the event loop accepts no more commits. Resolves in the next turn. */
  #nextLoopTurn: Promise<void> | undefined;
  /** How many bytes were read since the last full turn. Small reads fill a turn only together. */
  #readBytes = 0;

  /**
   * Resolves when no other statement is executed and this turn has room. Call the returned function
   * when the statement is done.
   */
  async take(commits: boolean): Promise<() => void> {
    for (;;) {
      while (this.#nextLoopTurn && this.#isFull(commits)) await this.#nextLoopTurn;
      const last = this.#last;
      let done: () => void = () => undefined;
      this.#last = new Promise((resolve) => {
        done = resolve;
      });
      await last;
      if (this.#nextLoopTurn === undefined || !this.#isFull(commits)) return done;
      // The earlier statement has filled the turn for statements of this kind. The next one may be of the
      // other kind, and then it does not wait.
      done();
    }
  }

  noteCommit(): void {
    this.#endTurn();
  }

  noteRead(rows: readonly unknown[]): void {
    this.#readBytes += sizeOf(rows);
    if (this.#readBytes >= PORTION_BYTES) this.#endTurn();
  }

  /** A read may follow a commit in the same turn. */
  #isFull(commits: boolean): boolean {
    return commits || this.#readBytes >= PORTION_BYTES;
  }

  #endTurn(): void {
    this.#nextLoopTurn ??= new Promise((resolve) => {
      defer(() => {
        this.#nextLoopTurn = undefined;
        this.#readBytes = 0;
        resolve();
      });
    });
  }
}

/** About how many bytes rows take. */
function sizeOf(rows: readonly unknown[]): number {
  let bytes = rows.length * ROW_BYTES;
  for (const row of rows) {
    if (typeof row !== 'object' || row === null) continue;
    for (const name in row) {
      const value: unknown = (row as Record<string, unknown>)[name];
      if (typeof value === 'string') bytes += value.length;
    }
  }
  return bytes;
}
