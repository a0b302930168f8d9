import {
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
  type SqliteStatement,
} from 'kysely';
import Database from 'libsql';

/** More than durably's own, for those of whoever uses `durably.db`. */
const MAX_STATEMENTS = 100;

export interface LocalOptions {
  /** A file, or `:memory:`. */
  readonly path: string;
  readonly busyTimeoutMs: number;
}

/**
 * A dialect over one connection. Of one to a file the engine is shown how to
 * renew it. One in memory can't be, for it would come back empty: its first
 * SQLITE_BUSY would be its last, but nobody else can lock it.
 */
export function localDialect(connection: LocalConnection): Dialect {
  return new LocalDialect(connection);
}

class LocalDialect extends SqliteDialect {
  readonly #connection: LocalConnection;

  constructor(connection: LocalConnection) {
    super({ database: connection });
    this.#connection = connection;
  }

  override createDriver(): Driver {
    const driver = new SharingDriver({ database: this.#connection });
    // As a driver of `@libsql/client` shows its client.
    return this.#connection.isInMemory ? driver : Object.assign(driver, { client: this.#connection });
  }
}

/**
 * Kysely's driver keeps the connection for whoever has it, also while a write
 * that met a lock waits to be tried again: reads would wait behind it. Here it
 * is everybody's, for each statement is executed in one go; the guard around
 * the dialect keeps others out of a transaction.
 */
class SharingDriver extends SqliteDriver {
  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection();
    await super.releaseConnection();
    return connection;
  }

  override async releaseConnection(): Promise<void> {}
}

/**
 * A connection to a database of this machine, whose statements are prepared
 * once. `@libsql/client` prepares at each call, which takes longer than most of
 * durably's statements do.
 */
export class LocalConnection implements SqliteDatabase {
  readonly protocol = 'file';
  readonly #options: LocalOptions;
  /** By their SQL, the one used last at the end. */
  readonly #statements = new Map<string, PreparedStatement>();
  #database: Database.Database | undefined;
  #isClosed = false;

  constructor(options: LocalOptions) {
    this.#options = options;
  }

  get isInMemory(): boolean {
    return this.#options.path === ':memory:';
  }

  prepare(sql: string): SqliteStatement {
    const database = this.#open();
    const statement = this.#statements.get(sql) ?? new PreparedStatement(database.prepare(sql), sql);
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

  execute(sql: string): void {
    this.#open().exec(sql);
  }

  /** The next statement opens another connection: should that fail, it is tried again by the one after. */
  reconnect(): void {
    const database = this.#database;
    this.#database = undefined;
    this.#statements.clear();
    if (database === undefined) return;
    // libsql keeps a closed connection for as long as its statements are not collected: it must hold no lock.
    try {
      if (database.inTransaction) database.exec('rollback');
    } finally {
      database.close();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.reconnect();
  }

  #open(): Database.Database {
    // Coded as the client codes it.
    if (this.#isClosed) throw Object.assign(new Error('the database is closed'), { code: 'CLIENT_CLOSED' });
    if (this.#database !== undefined) return this.#database;
    const { path, busyTimeoutMs } = this.#options;
    const database = new Database(path, { timeout: busyTimeoutMs });
    try {
      database.exec('pragma synchronous = FULL');
    } catch (error) {
      database.close();
      throw error;
    }
    this.#database = database;
    return database;
  }
}

/**
 * SQLite takes the names of some columns from the schema (of `rowid`, say, or as
 * many as a star stands for) which may change. durably's own tables don't, but
 * by a migration, and a star before a number is a product.
 */
const HAS_LASTING_COLUMNS = /^(?!.*\*(?!\s*\d)).*\bdurably_/s;

/**
 * A statement that is always run to its end: one that stopped half-way would
 * keep its lock. SQLite prepares it anew by itself when the schema has changed.
 *
 * Whole numbers beyond 2^53 come rounded.
 */
class PreparedStatement implements SqliteStatement {
  readonly reader: boolean;
  readonly #statement: Database.Statement;
  /** What to name the values of a row by; undefined where libsql is to ask anew each time. */
  readonly #columns: readonly string[] | undefined;
  #parameterCount = 0;

  constructor(statement: Database.Statement, sql: string) {
    this.#statement = statement;
    this.reader = statement.reader;
    if (this.reader && HAS_LASTING_COLUMNS.test(sql)) {
      this.#columns = statement.columns().map(({ name }) => name);
      // Lists cost libsql two thirds of what objects do.
      statement.raw();
    }
  }

  all(parameters: readonly unknown[]): unknown[] {
    const rows = this.#statement.all(this.#bindable(parameters));
    const columns = this.#columns;
    return columns === undefined ? rows : rows.map((values) => toRow(columns, values));
  }

  run(parameters: readonly unknown[]): Database.RunResult {
    return this.#statement.run(this.#bindable(parameters));
  }

  iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    return this.all(parameters).values();
  }

  /** What is not bound keeps the value that it had the last time. */
  #bindable(parameters: readonly unknown[]): Bindable[] {
    const values = parameters.map(toBindable);
    while (values.length < this.#parameterCount) values.push(null);
    this.#parameterCount = values.length;
    return values;
  }
}

function toRow(columns: readonly string[], values: unknown): Record<string, unknown> {
  if (!Array.isArray(values)) throw new TypeError('a row of libsql is not a list');
  const row: Record<string, unknown> = {};
  let i = 0;
  for (const column of columns) row[column] = toRead(values[i++]);
  return row;
}

/** In a list libsql has a blob as a Buffer; in an object, as the client does, as an ArrayBuffer. */
function toRead(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value;
  return value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);
}

type Bindable = string | number | bigint | Uint8Array | null;

/** As the client does it. Given anything else, libsql ends the process. */
function toBindable(value: unknown): Bindable {
  if (typeof value === 'string' || typeof value === 'bigint' || value === null) return value;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new RangeError(`a parameter must be a finite number, not ${value}`);
    return value;
  }
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof Date) return value.valueOf();
  throw new TypeError(`a parameter of type ${typeof value} cannot be stored`);
}
