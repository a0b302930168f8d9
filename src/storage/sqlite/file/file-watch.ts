import { statSync } from 'node:fs';
import { DatabaseUnavailableError } from '../../../core/errors/errors.ts';
import { WriteAheadLog } from './write-ahead-log.ts';

/** How often it is looked whether the files are still there: a few calls of the file system each time. */
const CHECK_EVERY_MS = 500;

/** What a connection in WAL mode keeps open besides the file itself, for as long as it is open. */
const COMPANIONS = ['-wal', '-shm'] as const;
type Companion = (typeof COMPANIONS)[number];

/** The file that stands at a path: which one, none, or not known, for the file system didn't say. */
type Found =
  | { readonly kind: 'file'; readonly id: string; readonly bytes: number }
  | { readonly kind: 'none' | 'unknown' };

/** What the open connection says of itself; undefined when it can't be asked at the moment. */
export interface WatchedConnection {
  /** Asking it opens the `-wal` and the `-shm`. */
  readonly isWal: () => boolean | undefined;
  /** Whether the `-wal` must hold something. */
  readonly countsOnLog: () => boolean | undefined;
}

export interface FileWatchOptions extends WatchedConnection {
  readonly path: string;
  readonly monotonicMs: () => number;
}

/**
 * Notices that the files of an open database were deleted, moved, replaced or
 * emptied. A connection goes on with the files that it has opened, by then
 * without a name: whatever it stores is gone when the process ends.
 */
export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #log: WriteAheadLog;
  #fileId: string | undefined;
  /** The file held something. SQLite never makes it empty again. */
  #hasContents = false;
  readonly #companionIds = new Map<Companion, string>();
  #nextCheckMs = Number.NEGATIVE_INFINITY;
  #loss: DatabaseUnavailableError | undefined;

  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#log = new WriteAheadLog(`${options.path}-wal`, options.countsOnLog);
  }

  /** Whether the files were found to be others, or gone. That doesn't change any more. */
  get isLost(): boolean {
    return this.#loss !== undefined;
  }

  /** Looks now and then only, so it may be called for every statement. @throws {DatabaseUnavailableError} */
  check(): void {
    const now = this.#options.monotonicMs();
    if (now >= this.#nextCheckMs) {
      this.#nextCheckMs = now + CHECK_EVERY_MS;
      this.#look();
    }
    if (this.#loss) throw this.#loss;
  }

  /** Opening would make a new file where none is. @throws {DatabaseUnavailableError} */
  checkBeforeOpening(): void {
    this.#lookAtFile();
    if (this.#loss) throw this.#loss;
  }

  /** Takes note of the files at once: they may be deleted before the first look. */
  noteOpened(): void {
    const found = find(this.#options.path);
    if (found.kind === 'file') this.#fileId ??= found.id;
    if (this.#options.isWal() === true) this.#look();
  }

  /** The companions of a closed connection may go, for good reasons. */
  noteClosing(): void {
    try {
      this.#look();
    } finally {
      this.#forgetCompanions();
    }
  }

  #look(): void {
    this.#lookAtFile();
    for (const suffix of COMPANIONS) this.#lookAtCompanion(suffix);
    if (this.#companionIds.has('-wal') && this.#log.isBroken()) {
      this.#lose(`${this.#options.path}-wal`, 'was emptied or overwritten');
    }
  }

  #lookAtFile(): void {
    if (this.#fileId === undefined) return;
    const { path } = this.#options;
    const found = find(path);
    if (found.kind === 'none') this.#lose(path, 'was deleted or moved');
    if (found.kind !== 'file') return;
    if (found.id !== this.#fileId) this.#lose(path, 'was replaced by another file');
    else if (this.#hasContents && found.bytes === 0) this.#lose(path, 'was emptied');
    this.#hasContents ||= found.bytes > 0;
  }

  #lookAtCompanion(suffix: Companion): void {
    const path = this.#options.path + suffix;
    const knownId = this.#companionIds.get(suffix);
    const found = find(path);
    if (found.kind === 'unknown' || (found.kind === 'file' && found.id === knownId)) return;
    if (knownId === undefined) {
      if (found.kind === 'file') this.#companionIds.set(suffix, found.id);
      else if (suffix === '-wal') this.#lookForLog(path);
      return;
    }
    const isWal = this.#options.isWal();
    if (isWal === undefined) return;
    // Whoever has this connection has left WAL mode, which deletes them.
    if (!isWal) this.#forgetCompanions();
    else this.#lose(path, found.kind === 'none' ? 'was deleted or moved' : 'was replaced by another file');
  }

  /** A connection in WAL mode has its log open: if there is none, it was deleted before it was seen. */
  #lookForLog(path: string): void {
    if (this.#options.isWal() !== true) return;
    // To be asked may have made it.
    const found = find(path);
    if (found.kind === 'none') this.#lose(path, 'was deleted or moved');
    if (found.kind === 'file') this.#companionIds.set('-wal', found.id);
  }

  #forgetCompanions(): void {
    this.#companionIds.clear();
    this.#log.forget();
  }

  #lose(path: string, what: string): void {
    this.#loss ??= new DatabaseUnavailableError(
      `The database's file ${path} ${what} while it was in use: nothing is read or stored any more. Put the right files in place, then restart`,
      { permanent: true },
    );
  }
}

/** Only a plain "no such file" counts as one: a folder that can't be read for a moment says nothing. */
function find(path: string): Found {
  try {
    const { dev, ino, size } = statSync(path);
    return { kind: 'file', id: `${dev}:${ino}`, bytes: size };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return { kind: code === 'ENOENT' || code === 'ENOTDIR' ? 'none' : 'unknown' };
  }
}
