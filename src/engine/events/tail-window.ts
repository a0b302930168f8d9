import type { StreamedRow } from './streamed-row.ts';

const MAX_ROWS = 2_000;
const MAX_BYTES = 4 * 1024 * 1024;

/** The latest rows of the journal, bounded in number and size, for readers that are a little behind. */
export class TailWindow {
  #rows: StreamedRow[] = [];
  #bytes = 0;
  /** The sequence after which it has every row. */
  #floor = 0;

  /** Drops all rows. It has every row after this sequence from now on. */
  restart(floor: number): void {
    this.#rows = [];
    this.#bytes = 0;
    this.#floor = floor;
  }

  /** Adds the next rows, and drops the oldest ones as far as needed. */
  extend(rows: readonly StreamedRow[]): void {
    this.#rows.push(...rows);
    for (const { sharedBytes } of rows) this.#bytes += sharedBytes;
    let dropped = 0;
    while (this.#rows.length - dropped > MAX_ROWS || this.#bytes > MAX_BYTES) {
      const oldest = this.#rows[dropped];
      if (!oldest) break;
      this.#bytes -= oldest.sharedBytes;
      this.#floor = oldest.sequence;
      dropped++;
    }
    if (dropped > 0) this.#rows.splice(0, dropped);
  }

  /** The rows after a place. Undefined if it does not have all of them. */
  after(place: number): readonly StreamedRow[] | undefined {
    if (place < this.#floor) return undefined;
    let first = this.#rows.length;
    while (first > 0 && (this.#rows[first - 1]?.sequence ?? 0) > place) first--;
    return this.#rows.slice(first);
  }
}
