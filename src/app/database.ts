import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import {
  type Database,
  isLocal,
  openError,
  openDatabase as openLocalDatabase,
} from '../storage/sqlite/file/open-database.ts';
import { timedFetch } from './timed-fetch.ts';

export { type Database, DatabaseOpenError, isBusy } from '../storage/sqlite/file/open-database.ts';

/**
 * Higher than the number of requests that are open at once in practice. A request that waits in the client's
 * queue may be sent after the engine has given it up.
 */
const MAX_REQUESTS = 100;

export interface DatabaseOptions {
  /** `file:…`, `:memory:`, or the address of a libSQL server. */
  readonly url: string;
  readonly authToken?: string | undefined;
}

/**
 * Opens the service's database. A file is opened as `durably/sqlite` opens it. Sends nothing to a server yet.
 *
 * @throws {DatabaseOpenError}
 */
export async function openDatabase({ url, authToken }: DatabaseOptions): Promise<Database> {
  if (isLocal(url)) return await openLocalDatabase({ url });
  try {
    const client = createClient({
      url,
      concurrency: MAX_REQUESTS,
      fetch: timedFetch,
      ...(authToken === undefined ? {} : { authToken }),
    });
    return { dialect: new LibsqlDialect({ client }), close: () => client.close() };
  } catch (error) {
    throw openError(url, error);
  }
}
