import { type Client, createClient, type InStatement } from '@libsql/client';

const OBJECTS = `select type, name from sqlite_master
where type in ('trigger', 'view', 'table') and name not like 'sqlite_%' and name not like 'libsql_%'
order by type = 'table', type`;

/** Compressing takes libsql-server longer than sending. */
async function fetchUncompressed(request: Request): Promise<Response> {
  request.headers.set('accept-encoding', 'identity');
  return await fetch(request);
}

/**
 * A database on a libSQL server, named on the command line. It must be empty at first, because it is emptied after
 * each use.
 */
export class GivenDatabase {
  readonly url: string;
  readonly authToken: string | undefined;
  readonly #client: Client;

  private constructor(url: string, authToken: string | undefined) {
    this.url = url;
    this.authToken = authToken;
    this.#client = createClient({ url, fetch: fetchUncompressed, ...(authToken && { authToken }) });
  }

  /** @param authToken of the server, if it asks for one. @throws if the database is not empty. */
  static async open(url: string, authToken = process.env.TURSO_AUTH_TOKEN): Promise<GivenDatabase> {
    if (!/^(libsql|https?|wss?):/i.test(url))
      throw new Error(`--database must be a server's address: ${url}`);
    const database = new GivenDatabase(url, authToken);
    const objects = await database.#objects();
    if (objects.length === 0) return database;
    database.close();
    throw new Error(`--database must be an empty database, and it has ${objects.length} tables and the like`);
  }

  async select(statement: InStatement): Promise<Record<string, unknown>[]> {
    const { rows } = await this.#client.execute(statement);
    return rows.map((row) => ({ ...row }));
  }

  /** Removes all tables, views and triggers. */
  async clear(): Promise<void> {
    const objects = await this.#objects();
    if (objects.length > 0) {
      await this.#client.migrate(objects.map(({ type, name }) => `drop ${type} if exists "${name}"`));
    }
  }

  close(): void {
    this.#client.close();
  }

  async #objects(): Promise<{ type: string; name: string }[]> {
    const rows = await this.select(OBJECTS);
    return rows.map(({ type, name }) => ({ type: String(type), name: String(name) }));
  }
}
