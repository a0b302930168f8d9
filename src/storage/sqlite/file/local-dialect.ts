import { type DatabaseConnection, type Dialect, SqliteDialect, SqliteDriver } from 'kysely';
import type { AdaptedDriver, Adapter } from '../adapter.ts';
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
    const driver = new SharingDriver({ database: connection });
    const adapter: Adapter = connection.isInMemory
      ? { isRemote: false }
      : { isRemote: false, renew: () => connection.reconnect(), useWal: () => connection.useWal() };
    return Object.assign(driver, { adapter });
  }
}

/**
 * Kysely's driver keeps the connection for whoever has it, also while a write
 * that met a lock waits to be tried again: reads would wait behind it. Here it
 * is everybody's, for each statement is executed in one go; the guard around
 * the dialect keeps others out of a transaction.
 */
class SharingDriver extends SqliteDriver {
  #shared: DatabaseConnection | undefined;

  override async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#shared !== undefined) return this.#shared;
    this.#shared = await super.acquireConnection();
    await super.releaseConnection();
    return this.#shared;
  }

  override async releaseConnection(): Promise<void> {}
}
