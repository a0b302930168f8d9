import { createClient } from '@libsql/client/http';
import { LibsqlDialect } from '@libsql/kysely-libsql';

export interface RemoteDatabaseOptions {
  /** A `libsql:`, `http:` or `https:` URL. */
  readonly url: string;
  readonly authToken?: string | undefined;
  /** Sends every request. */
  readonly fetch: typeof fetch;
}

/** A dialect over a libSQL server that uses HTTP only. It sends nothing yet and keeps no connection open. */
export function remoteDialect({ url, authToken, fetch }: RemoteDatabaseOptions): LibsqlDialect {
  const client = createClient(authToken === undefined ? { url, fetch } : { url, authToken, fetch });
  return new LibsqlDialect({ client });
}
