import { closeSync, openSync, readSync, statSync } from 'node:fs';

/**
 * The first four bytes of a log. The last bit is the byte order of its checksums:
 * https://www.sqlite.org/fileformat.html#the_write_ahead_log
 */
const MAGIC = [0x377f0682, 0x377f0683];

/**
 * Whether a `-wal` still has what was written to it. It may be empty: a checkpoint with TRUNCATE has
 * moved everything into the database, and the connection knows of no frame in the log. Nobody locks
 * a `-wal`, so it may be opened and closed beside SQLite. Closing the database file or its `-shm`
 * would release SQLite's locks.
 */
export class WriteAheadLog {
  readonly #path: string;
  readonly #isCountedOn: () => boolean | undefined;
  /** It had contents at the last check. */
  #hadContents = false;

  constructor(path: string, isCountedOn: () => boolean | undefined) {
    this.#path = path;
    this.#isCountedOn = isCountedOn;
  }

  /** False if that is unknown at the moment. */
  isBroken(): boolean {
    const bytes = this.#bytes();
    if (bytes === undefined) return false;
    // The next write leaves a hole where the log was cut off, and where its header was.
    if (bytes > 0) {
      this.#hadContents = true;
      return this.#hasHeader() === false && this.#bytes() !== 0;
    }
    if (!this.#hadContents) return false;
    const isCountedOn = this.#isCountedOn();
    if (isCountedOn === false) this.#hadContents = false;
    // Another process may have written to it meanwhile.
    return isCountedOn === true && this.#bytes() === 0;
  }

  /** Forgets what was seen. Another connection has a log of its own. */
  forget(): void {
    this.#hadContents = false;
  }

  #bytes(): number | undefined {
    try {
      return statSync(this.#path).size;
    } catch {
      return undefined;
    }
  }

  #hasHeader(): boolean | undefined {
    try {
      const file = openSync(this.#path, 'r');
      try {
        const magic = Buffer.alloc(4);
        return readSync(file, magic, 0, 4, 0) === 4 ? MAGIC.includes(magic.readUInt32BE()) : undefined;
      } finally {
        closeSync(file);
      }
    } catch {
      return undefined;
    }
  }
}
