import { statSync } from 'node:fs';
import { DatabaseUnavailableError } from '../../../core/errors/errors.ts';
import { WriteAheadLog } from './write-ahead-log.ts';

/** How often the files are checked. Each check makes a few calls of the file system. */
const CHECK_EVERY_MS = 500;

/** The files that a connection in WAL mode keeps open besides the database file. */
const COMPANIONS = ['-wal', '-shm'] as const;
type Companion = (typeof COMPANIONS)[number];

/** The result of looking for a file: its identity, none, or unknown because the file system did not say. */
type Found =
  | { readonly kind: 'file'; readonly id: string; readonly bytes: number }
  | { readonly kind: 'none' | 'unknown' };

/** What the open connection says about itself. Undefined if it cannot be asked at the moment. */
export interface WatchedConnection {
  /** Asking it opens the `-wal` and the `-shm`. */
  readonly isWal: () => boolean | undefined;
  /** Whether the `-wal` must have contents. */
  readonly countsOnLog: () => boolean | undefined;
}

export interface FileWatchOptions extends WatchedConnection {
  readonly path: string;
  readonly monotonicMs: () => number;
}

/**
 * Notices that the files of an open database were deleted, moved, replaced or emptied. Their
 * connection continues to use them without a name, so what it stores is lost when the process ends.
 */
export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #log: WriteAheadLog;
  #fileId: string | undefined;
  /** The file had contents. SQLite never empties it again. */
  #hasContents = false;
  readonly #companionIds = new Map<Companion, string>();
  #nextCheckMs = Number.NEGATIVE_INFINITY;
  #loss: DatabaseUnavailableError | undefined;

  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#log = new WriteAheadLog(`${options.path}-wal`, options.countsOnLog);
  }

  /** Whether the files are gone or were replaced. Once true, it stays true. */
  get isLost(): boolean {
    return this.#loss !== undefined;
  }

  /** Checks only now and then, so it may be called for every statement. @throws {DatabaseUnavailableError} */
  check(): void {
    const now = this.#options.monotonicMs();
    if (now >= this.#nextCheckMs) {
      this.#nextCheckMs = now + CHECK_EVERY_MS;
      this.#look();
    }
    if (this.#loss) throw this.#loss;
  }

  /**
   * Checks that the file is there, because opening would create a new one. @throws
   * {DatabaseUnavailableError}
   */
  checkBeforeOpening(): void {
    this.#lookAtFile();
    if (this.#loss) throw this.#loss;
  }

  /** Records the files at once, because they may be deleted before the first check. */
  noteOpened(): void {
    const found = find(this.#options.path);
    if (found.kind === 'file') this.#fileId ??= found.id;
    if (this.#options.isWal() === true) this.#look();
  }

  /** A closed connection may delete its `-wal` and `-shm`. */
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
    // A connection that has left WAL mode deletes them.
    if (!isWal) this.#forgetCompanions();
    else this.#lose(path, found.kind === 'none' ? 'was deleted or moved' : 'was replaced by another file');
  }

  /** A connection in WAL mode has its log open. If there is none, it was deleted before it was seen. */
  #lookForLog(path: string): void {
    if (this.#options.isWal() !== true) return;
    // Asking for the mode may have created the log.
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

/**
 * Only a plain "no such file" counts as missing. A folder that cannot be read for a moment proves
 * nothing.
 */
function find(path: string): Found {
  try {
    const { dev, ino, size } = statSync(path);
    return { kind: 'file', id: `${dev}:${ino}`, bytes: size };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return { kind: code === 'ENOENT' || code === 'ENOTDIR' ? 'none' : 'unknown' };
  }
}
