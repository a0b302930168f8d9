import type { Driver } from 'kysely';
import type { AdaptedDriver, Adapter } from '../adapter.ts';

/** The client of `@libsql/client`, as the driver of LibsqlDialect exposes it. */
interface LibsqlClient {
  readonly protocol?: unknown;
  /** Whether its owner has closed it. */
  readonly closed?: boolean;
  reconnect(): void | Promise<void>;
  batch?(
    statements: readonly { readonly sql: string; readonly args: readonly (string | number)[] }[],
    mode: 'write',
  ): Promise<readonly unknown[]>;
}

/** The abilities of a driver: those it declares, those of its libSQL client, or none. */
export function adapterOf(driver: Driver): Adapter {
  if (isAdapted(driver)) return driver.adapter;
  const client = libsqlClientOf(driver);
  if (client === undefined) return { isRemote: false };
  const isRemote = client.protocol !== 'file';
  const batch = client.batch?.bind(client);
  return {
    isRemote,
    renew: () => client.reconnect(),
    isClosed: () => client.closed,
    ...(batch && {
      batch: (statements) =>
        batch(
          statements.map(({ sql, parameters }) => ({ sql, args: parameters })),
          'write',
        ),
    }),
  };
}

function isAdapted(driver: Driver): driver is AdaptedDriver {
  return 'adapter' in driver;
}

function libsqlClientOf(driver: Driver): LibsqlClient | undefined {
  if (!('client' in driver)) return undefined;
  const { client } = driver;
  if (typeof client !== 'object' || client === null || !('reconnect' in client)) return undefined;
  return typeof client.reconnect === 'function' ? (client as LibsqlClient) : undefined;
}

/** The rows of a client's result. */
export function rowsOf(result: unknown): Readonly<Record<string, unknown>>[] {
  if (typeof result !== 'object' || result === null || !('rows' in result)) return [];
  return Array.isArray(result.rows) ? result.rows : [];
}
