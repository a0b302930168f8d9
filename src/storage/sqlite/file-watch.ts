import { statSync } from 'node:fs';
import { DatabaseUnavailableError } from '../../core/errors.ts';

/** How often it is looked whether the files are still there: three calls of `stat` each time. */
const CHECK_EVERY_MS = 500;

/** What a connection in WAL mode keeps open besides the file itself, for as long as it is open. */
const COMPANIONS = ['-wal', '-shm'] as const;

/** The file that stands at a path: which one, none, or not known, for the file system didn't say. */
type Found = { readonly kind: 'file'; readonly id: string } | { readonly kind: 'none' | 'unknown' };

export interface FileWatchOptions {
  readonly path: string;
  readonly monotonicMs: () => number;
  /** Whether the open connection is in WAL mode. */
  readonly isWal: () => boolean;
}

/**
 * Notices that the files of an open database were deleted, moved or replaced. A
 * connection goes on with the files that it has opened, by then without a name:
 * whatever it stores is gone when the process ends.
 */
export class FileWatch {
  readonly #options: FileWatchOptions;
  #fileId: string | undefined;
  readonly #companionIds = new Map<string, string>();
  #nextCheckMs = Number.NEGATIVE_INFINITY;
  #loss: DatabaseUnavailableError | undefined;

  constructor(options: FileWatchOptions) {
    this.#options = options;
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

  noteOpened(): void {
    if (this.#fileId !== undefined) return;
    const found = find(this.#options.path);
    if (found.kind === 'file') this.#fileId = found.id;
  }

  /** The companions of a closed connection may go, for good reasons. */
  noteClosing(): void {
    this.#look();
    this.#companionIds.clear();
  }

  #look(): void {
    this.#lookAtFile();
    for (const suffix of COMPANIONS) this.#lookAtCompanion(suffix);
  }

  #lookAtFile(): void {
    if (this.#fileId === undefined) return;
    const found = find(this.#options.path);
    if (found.kind === 'none') this.#loss ??= lossOf(this.#options.path, 'was deleted or moved');
    if (found.kind === 'file' && found.id !== this.#fileId) {
      this.#loss ??= lossOf(this.#options.path, 'was replaced by another file');
    }
  }

  #lookAtCompanion(suffix: (typeof COMPANIONS)[number]): void {
    const path = this.#options.path + suffix;
    const knownId = this.#companionIds.get(suffix);
    const found = find(path);
    if (found.kind === 'unknown' || (found.kind === 'file' && found.id === knownId)) return;
    if (knownId === undefined) {
      if (found.kind === 'file') this.#companionIds.set(suffix, found.id);
    } else if (this.#options.isWal()) {
      this.#loss ??= lossOf(
        path,
        found.kind === 'none' ? 'was deleted or moved' : 'was replaced by another file',
      );
    } else {
      // Whoever has this connection has left WAL mode, which deletes them.
      this.#companionIds.clear();
    }
  }
}

/** Only a plain "no such file" counts as one: a folder that can't be read for a moment says nothing. */
function find(path: string): Found {
  try {
    const { dev, ino } = statSync(path);
    return { kind: 'file', id: `${dev}:${ino}` };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return { kind: code === 'ENOENT' || code === 'ENOTDIR' ? 'none' : 'unknown' };
  }
}

function lossOf(path: string, what: string): DatabaseUnavailableError {
  return new DatabaseUnavailableError(
    `The database's file ${path} ${what} while it was in use: nothing is read or stored any more. Put the right files in place, then restart`,
    { permanent: true },
  );
}
