import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type QueryResult,
  SqliteDialect,
  SqliteDriver,
  type TransactionSettings,
} from 'kysely';
import type { AdaptedDriver, Adapter, Batch } from '../adapter.ts';
import { isOwnQuery } from '../query.ts';
import type { LocalConnection } from './local-connection.ts';

/**
 * A dialect over one connection. If it is to a file, the engine can renew it. A database in memory
 * cannot be renewed, because it would be empty, but nobody else can lock it either.
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

  override createDriver(): AdaptedDriver {
    const connection = this.#connection;
    const driver = new SharingDriver(connection);
    const adapter: Adapter = {
      isRemote: false,
      isClosed: () => connection.isClosed,
      batch: async (statements) => executeTogether(connection, statements),
      ...(!connection.isInMemory && {
        renew: () => connection.reconnect(),
        useWal: () => connection.useWal(),
      }),
    };
    return Object.assign(driver, { adapter });
  }
}

function executeTogether(connection: LocalConnection, statements: Parameters<Batch>[0]) {
  return connection.inTransaction(() =>
    statements.map(({ sql, parameters }, statementIndex) => {
      try {
        return { rows: connection.prepare(sql, 'fixed').all(parameters) };
      } catch (error) {
        throw Object.assign(error as Error, { statementIndex });
      }
    }),
  );
}

/**
 * Lets all callers share the connection. Kysely's driver lends it to one caller at a time, even
 * while a write waits for a lock, and reads would wait behind it. Each statement is executed in one
 * go, and the guard around the dialect keeps others out of a transaction.
 */
class SharingDriver extends SqliteDriver {
  readonly #shared: SharedConnection;

  constructor(connection: LocalConnection) {
    super({ database: connection });
    this.#shared = new SharedConnection(connection);
  }

  /** Takes the lock at once. A transaction that took it after a read could not wait for it. */
  override async beginTransaction(connection: DatabaseConnection, settings?: TransactionSettings) {
    const begin = settings?.accessMode === 'read only' ? 'begin' : 'begin immediate';
    await connection.executeQuery(CompiledQuery.raw(begin));
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    return this.#shared;
  }

  override async releaseConnection(): Promise<void> {}
}

/** Like Kysely's own, but it recognizes durably's statements. */
class SharedConnection implements DatabaseConnection {
  readonly #connection: LocalConnection;

  constructor(connection: LocalConnection) {
    this.#connection = connection;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const statement = this.#prepare(query);
    if (statement.reader) return { rows: statement.all(query.parameters) as R[] };
    const { changes, lastInsertRowid } = statement.run(query.parameters);
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    for (const row of this.#prepare(query).iterate(query.parameters)) yield { rows: [row as R] };
  }

  #prepare(query: CompiledQuery) {
    return this.#connection.prepare(query.sql, isOwnQuery(query) ? 'fixed' : 'asked each time');
  }
}
