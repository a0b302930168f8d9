import type { SqliteDatabase, SqliteStatement } from 'kysely';
import Database from 'libsql';
import { FileWatch } from './file-watch.ts';
import { type ColumnNames, PreparedStatement } from './prepared-statement.ts';

/** More than durably's own, for those of whoever uses `durably.db`. */
const MAX_STATEMENTS = 100;

export interface LocalOptions {
  /** A file, or `:memory:`. */
  readonly path: string;
  readonly busyTimeoutMs: number;
  /** A clock that never jumps, ms; the system's unless given. */
  readonly monotonicMs?: () => number;
}

/**
 * A connection to a database of this machine, whose statements are prepared
 * once. `@libsql/client` prepares at each call, which takes longer than most of
 * durably's statements do.
 *
 * Every statement is refused once the file was deleted or replaced.
 */
export class LocalConnection implements SqliteDatabase {
  readonly #options: LocalOptions;
  /** By their SQL, the one used last at the end. */
  readonly #statements = new Map<string, PreparedStatement>();
  /** By their SQL: what the watch asks. */
  readonly #questions = new Map<string, Database.Statement>();
  /** Undefined in memory. */
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

  /** All that is executed in it is stored, or nothing. The lock is taken first. */
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

  /** Puts the file into WAL mode, if it isn't. In memory there is no other mode, and nothing changes. */
  useWal(): void {
    this.#open().exec('pragma journal_mode = WAL');
    this.#watch?.noteOpened();
  }

  /** The next statement opens another connection: should that fail, it is tried again by the one after. */
  reconnect(): void {
    const database = this.#database;
    if (database !== undefined) this.#noteClosing();
    this.#database = undefined;
    this.#statements.clear();
    this.#questions.clear();
    if (database === undefined) return;
    // libsql keeps a closed connection for as long as its statements are not collected: it must hold no lock.
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
      // The connection is closed all the same, and the next one looks again.
    }
  }

  /** Moves what is in the `-wal` into the file, unless somebody uses it, and closes the connection. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#checkpoint();
    this.reconnect();
  }

  /**
   * libsql closes a connection only once its statements are collected, so a
   * process that ends would leave the `-wal` as it is. What others prevent is
   * left to whoever closes last.
   */
  #checkpoint(): void {
    const database = this.#database;
    if (database === undefined || this.#watch === undefined || this.#watch.isLost) return;
    try {
      rollBack(database);
      database.exec('pragma busy_timeout = 0');
      database.prepare('pragma wal_checkpoint(TRUNCATE)').all();
    } catch {
      // Nothing is lost by it: the next to open the file reads the -wal.
    }
  }

  /** The mode alone can be told without opening the log: a read opens it. */
  #isWal(): boolean | undefined {
    const isReadable = this.#ask('pragma schema_version', () => true);
    return isReadable && this.#ask('pragma journal_mode', ({ journal_mode: mode }) => mode === 'wal');
  }

  /** The checkpoint moves what it can without waiting, and says how many frames the log has. */
  #countsOnLog(): boolean | undefined {
    try {
      const [row] = this.#database?.prepare('pragma wal_checkpoint(PASSIVE)').all() ?? [];
      const frames = typeof row === 'object' && row !== null && 'log' in row ? Number(row.log) : -1;
      // Another connection's checkpoint keeps this one from counting.
      return frames < 0 ? undefined : frames > 0;
    } catch (error) {
      throwIfBusy(error);
      return codeOf(error) === 'SQLITE_IOERR_SHORT_READ' ? true : undefined;
    }
  }

  /** What the open connection says of itself; undefined if it can't. @throws SQLITE_BUSY: the connection is then to be renewed. */
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
    // Coded as the client codes it.
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

/** A connection that met SQLITE_BUSY may keep an old snapshot or a lock until it is renewed: whoever renews it must hear of it. */
function throwIfBusy(error: unknown): void {
  if (/^SQLITE_(BUSY|LOCKED)/.test(String(codeOf(error)))) throw error;
}
