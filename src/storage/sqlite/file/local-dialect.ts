import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type QueryResult,
  SqliteDialect,
  SqliteDriver,
} from 'kysely';
import type { AdaptedDriver, Adapter, Batch } from '../adapter.ts';
import { isOwnQuery } from '../query.ts';
import type { LocalConnection } from './local-connection.ts';

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

  override createDriver(): AdaptedDriver {
    const connection = this.#connection;
    const driver = new SharingDriver(connection);
    const adapter: Adapter = {
      isRemote: false,
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
 * Kysely's driver keeps the connection for whoever has it, also while a write
 * that met a lock waits to be tried again: reads would wait behind it. Here it
 * is everybody's, for each statement is executed in one go; the guard around
 * the dialect keeps others out of a transaction.
 */
class SharingDriver extends SqliteDriver {
  readonly #shared: SharedConnection;

  constructor(connection: LocalConnection) {
    super({ database: connection });
    this.#shared = new SharedConnection(connection);
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    return this.#shared;
  }

  override async releaseConnection(): Promise<void> {}
}

/** As Kysely's own, but that it knows which statements are durably's. */
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
