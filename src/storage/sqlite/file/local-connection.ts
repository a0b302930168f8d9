import type { SqliteDatabase, SqliteStatement } from 'kysely';
import Database from 'libsql';
import { FileWatch } from './file-watch.ts';
import { type ColumnNames, PreparedStatement } from './prepared-statement.ts';

/** More than durably's own statements, so that those of users of `durably.db` fit, too. */
const MAX_STATEMENTS = 100;

export interface LocalOptions {
  /** A file, or `:memory:`. */
  readonly path: string;
  readonly busyTimeoutMs: number;
  /** A clock that never jumps, ms. Default: the system's. */
  readonly monotonicMs?: () => number;
}

/**
 * A connection to a database of this machine that prepares each statement once. `@libsql/client`
 * prepares at each call, which takes longer than most of durably's statements. Once the file was
 * deleted or replaced, every statement is refused.
 */
export class LocalConnection implements SqliteDatabase {
  readonly #options: LocalOptions;
  /** By their SQL, the last used at the end. */
  readonly #statements = new Map<string, PreparedStatement>();
  /** The queries of the watch, by their SQL. */
  readonly #questions = new Map<string, Database.Statement>();
  /** Undefined for a database in memory. */
  readonly #watch: FileWatch | undefined;
  #database: Database.Database | undefined;
  #isClosed = false;

  constructor(options: LocalOptions) {
    this.#options = options;
    const { path, monotonicMs = () => performance.now() } = options;
    if (this.isInMemory) return;
    this.#watch = new FileWatch({
      path,
      monotonicMs,
      isWal: () => this.#isWal(),
      countsOnLog: () => this.#countsOnLog(),
    });
  }

  get isInMemory(): boolean {
    return this.#options.path === ':memory:';
  }

  /** Whether its owner has closed it. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether a transaction is open. */
  protected get isInTransaction(): boolean {
    return this.#database?.inTransaction ?? false;
  }

  prepare(sql: string, columnNames: ColumnNames = 'asked each time'): SqliteStatement {
    const database = this.#open();
    const statement = this.#statements.get(sql) ?? new PreparedStatement(database.prepare(sql), columnNames);
    this.#statements.delete(sql);
    this.#statements.set(sql, statement);
    if (this.#statements.size > MAX_STATEMENTS) {
      for (const oldest of this.#statements.keys()) {
        this.#statements.delete(oldest);
        break;
      }
    }
    return statement;
  }

  /** Stores everything that is executed in it, or nothing. It takes the lock first. */
  inTransaction<T>(execute: () => T): T {
    const database = this.#open();
    database.exec('begin immediate');
    try {
      const result = execute();
      database.exec('commit');
      return result;
    } catch (error) {
      rollBack(database);
      throw error;
    }
  }

  /** Puts the file into WAL mode. Has no effect if it is in WAL mode, and for a database in memory. */
  useWal(): void {
    this.#open().exec('pragma journal_mode = WAL');
    this.#watch?.noteOpened();
  }

  /** Makes the next statement open another connection. If that fails, the statement after it tries again. */
  reconnect(): void {
    const database = this.#database;
    if (database !== undefined) this.#noteClosing();
    this.#database = undefined;
    this.#statements.clear();
    this.#questions.clear();
    if (database === undefined) return;
    // libsql keeps a closed connection until its statements are collected. Until then it must not hold a
    // lock.
    try {
      rollBack(database);
    } finally {
      database.close();
    }
  }

  #noteClosing(): void {
    try {
      this.#watch?.noteClosing();
    } catch {
      // The connection is closed nevertheless, and the next one checks again.
    }
  }

  /**
   * Moves the contents of the `-wal` into the file, unless another connection uses it, and closes
   * the connection.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#checkpoint();
    this.reconnect();
  }

  /**
   * libsql closes a connection only when its statements are collected, so a process that ends would
   * leave the `-wal`. If others prevent the checkpoint, the last connection that closes makes it.
   */
  #checkpoint(): void {
    const database = this.#database;
    if (database === undefined || this.#watch === undefined || this.#watch.isLost) return;
    try {
      rollBack(database);
      database.exec('pragma busy_timeout = 0');
      database.prepare('pragma wal_checkpoint(TRUNCATE)').all();
    } catch {
      // Nothing is lost: the next connection reads the `-wal`.
    }
  }

  /** The mode can be asked without opening the log. A read opens it. */
  #isWal(): boolean | undefined {
    const isReadable = this.#ask('pragma schema_version', () => true);
    return isReadable && this.#ask('pragma journal_mode', ({ journal_mode: mode }) => mode === 'wal');
  }

  /** A checkpoint that does not wait returns how many frames the log has. */
  #countsOnLog(): boolean | undefined {
    try {
      const [row] = this.#database?.prepare('pragma wal_checkpoint(PASSIVE)').all() ?? [];
      const frames = typeof row === 'object' && row !== null && 'log' in row ? Number(row.log) : -1;
      // A checkpoint of another connection prevents this one from counting.
      return frames < 0 ? undefined : frames > 0;
    } catch (error) {
      throwIfBusy(error);
      return codeOf(error) === 'SQLITE_IOERR_SHORT_READ' ? true : undefined;
    }
  }

  /**
   * What the open connection says about itself. Undefined if it cannot. @throws SQLITE_BUSY, after
   * which the connection must be renewed
   */
  #ask<T>(pragma: string, read: (row: Readonly<Record<string, unknown>>) => T): T | undefined {
    try {
      const question = this.#questions.get(pragma) ?? this.#database?.prepare(pragma);
      if (question === undefined) return undefined;
      this.#questions.set(pragma, question);
      const [row] = question.all();
      return typeof row === 'object' && row !== null ? read({ ...row }) : undefined;
    } catch (error) {
      throwIfBusy(error);
      return undefined;
    }
  }

  #open(): Database.Database {
    // With the same code as the client's error.
    if (this.#isClosed) throw Object.assign(new Error('the database is closed'), { code: 'CLIENT_CLOSED' });
    if (this.#database !== undefined) {
      this.#watch?.check();
      return this.#database;
    }
    this.#watch?.checkBeforeOpening();
    const { path, busyTimeoutMs } = this.#options;
    const database = new Database(path, { timeout: busyTimeoutMs });
    try {
      database.exec('pragma synchronous = FULL');
    } catch (error) {
      database.close();
      throw error;
    }
    this.#database = database;
    this.#watch?.noteOpened();
    return database;
  }
}

function rollBack(database: Database.Database): void {
  if (database.inTransaction) database.exec('rollback');
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/**
 * A connection that met SQLITE_BUSY may keep an old snapshot or a lock until it is renewed, so its
 * owner must learn of the error.
 */
function throwIfBusy(error: unknown): void {
  if (/^SQLITE_(BUSY|LOCKED)/.test(String(codeOf(error)))) throw error;
}
