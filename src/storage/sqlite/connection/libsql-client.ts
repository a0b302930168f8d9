import type { Driver } from 'kysely';

/** Executes statements in one request and one transaction; answers with the client's result of each. */
export type Batch = (
  statements: readonly { readonly sql: string; readonly parameters: readonly (string | number)[] }[],
) => Promise<readonly unknown[]>;

/** What the LibsqlDialect's driver shows of its client. */
interface LibsqlClient {
  readonly protocol?: unknown;
  /** Whether its owner has closed it. */
  readonly closed?: boolean;
  reconnect(): void | Promise<void>;
  /** What the dialect of `durably/sqlite` shows besides: it puts the file into WAL mode. */
  useWal?(): void;
  batch?(
    statements: readonly { readonly sql: string; readonly args: readonly (string | number)[] }[],
    mode: 'write',
  ): Promise<readonly unknown[]>;
}

export function libsqlClientOf(driver: Driver): LibsqlClient | undefined {
  if (!('client' in driver)) return undefined;
  const { client } = driver;
  if (typeof client !== 'object' || client === null || !('reconnect' in client)) return undefined;
  return typeof client.reconnect === 'function' ? (client as LibsqlClient) : undefined;
}

export function batchOf(client: LibsqlClient | undefined): Batch | undefined {
  const batch = client?.batch?.bind(client);
  if (batch === undefined) return undefined;
  return (statements) =>
    batch(
      statements.map(({ sql, parameters }) => ({ sql, args: parameters })),
      'write',
    );
}

/** The rows of a client's result. */
export function rowsOf(result: unknown): Readonly<Record<string, unknown>>[] {
  if (typeof result !== 'object' || result === null || !('rows' in result)) return [];
  return Array.isArray(result.rows) ? result.rows : [];
}
