import type { Driver } from 'kysely';

/** Executes statements in one request and one transaction; answers with the rows of each. */
export type Batch = (
  statements: readonly { readonly sql: string; readonly parameters: readonly (string | number)[] }[],
) => Promise<(readonly unknown[])[]>;

/** What the LibsqlDialect's driver shows of its client. */
interface LibsqlClient {
  readonly protocol?: unknown;
  /** Whether its owner has closed it. */
  readonly closed?: boolean;
  reconnect(): void | Promise<void>;
  batch?(
    statements: readonly { readonly sql: string; readonly args: readonly (string | number)[] }[],
    mode: 'write',
  ): Promise<readonly { readonly rows: readonly unknown[] }[]>;
}

export function libsqlClientOf(driver: Driver): LibsqlClient | undefined {
  if (!('client' in driver)) return undefined;
  const { client } = driver;
  if (typeof client !== 'object' || client === null || !('reconnect' in client)) return undefined;
  return typeof client.reconnect === 'function' ? (client as LibsqlClient) : undefined;
}

export function batchOf(client: LibsqlClient | undefined): Batch | undefined {
  if (typeof client?.batch !== 'function') return undefined;
  return async (statements) => {
    const args = statements.map(({ sql, parameters }) => ({ sql, args: parameters }));
    return ((await client.batch?.(args, 'write')) ?? []).map(({ rows }) => rows);
  };
}
