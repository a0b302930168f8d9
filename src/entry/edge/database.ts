import { createClient } from '@libsql/client/http';
import { LibsqlDialect } from '@libsql/kysely-libsql';

export interface RemoteDatabaseOptions {
  /** `libsql:` or `http(s):`. */
  readonly url: string;
  readonly authToken?: string | undefined;
  /** By which every request is sent. */
  readonly fetch: typeof fetch;
}

/** A dialect over a libSQL server, by HTTP alone. Nothing is sent yet, and nothing stays open. */
export function remoteDialect({ url, authToken, fetch }: RemoteDatabaseOptions): LibsqlDialect {
  const client = createClient(authToken === undefined ? { url, fetch } : { url, authToken, fetch });
  return new LibsqlDialect({ client });
}
