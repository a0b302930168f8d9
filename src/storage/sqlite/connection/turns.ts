import { defer } from '../../../core/clock.ts';
import { PORTION_BYTES } from '../../../core/json/portions.ts';

/** What a row takes beside its texts: thousands of small rows hold the event loop, too. */
const ROW_BYTES = 1024;

/**
 * Who executes on a local database, one at a time. Each statement holds the event
 * loop until it has its answer, so a turn of the loop takes one commit, which waits
 * for the disk, and about a portion of what is read. Timers and sockets get their
 * turn in between.
 */
export class Turns {
  #last: Promise<void> = Promise.resolve();
  /** Set once this turn of the event loop takes no more commits; resolves in the next. */
  #nextLoopTurn: Promise<void> | undefined;
  /** What was read since a turn was last used up. Small reads never use one up by themselves. */
  #readBytes = 0;

  /** Resolves when nothing else is executed, and this turn has room; call the answer when that is over. */
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
      // Whoever was before has used the turn up: what comes after may be of the other kind, and need not wait.
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
