import { CompiledQuery, type DatabaseConnection, type Dialect, type Driver, type QueryResult } from 'kysely';

export type Around = (
  query: CompiledQuery,
  execute: () => Promise<QueryResult<unknown>>,
  about: {
    /** Whether it is alone, or the first of its batch. */
    readonly isFirst: boolean;
  },
) => Promise<QueryResult<unknown>>;

interface Wrapping {
  /** Called around each statement. The calls for a batch are nested in the order of its statements. */
  readonly around: Around;
  /** Called before a transaction is begun. */
  readonly onBegin?: () => void;
}

/** The dialect, with a driver whose every statement goes through `around`. */
export function wrapDialect(dialect: Dialect, wrapping: Wrapping): Dialect {
  return {
    createDriver: () => wrapDriver(dialect.createDriver(), wrapping),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  };
}

/** Wraps the methods of the driver itself, so that its other members, such as a client, stay visible. */
function wrapDriver(driver: Driver, { around, onBegin }: Wrapping): Driver {
  const seen = new WeakSet<DatabaseConnection>();
  const acquire = driver.acquireConnection.bind(driver);
  driver.acquireConnection = async () => {
    const connection = await acquire();
    if (seen.has(connection)) return connection;
    seen.add(connection);
    const execute = connection.executeQuery.bind(connection);
    connection.executeQuery = (<R>(query: CompiledQuery) =>
      around(query, () => execute<R>(query), { isFirst: true })) as DatabaseConnection['executeQuery'];
    return connection;
  };
  const begin = driver.beginTransaction.bind(driver);
  driver.beginTransaction = (connection, settings) => {
    onBegin?.();
    return begin(connection, settings);
  };
  const holder = batchHolderOf(driver);
  if (holder !== undefined) holder.batch = wrapBatch(holder.batch.bind(holder), around);
  return driver;
}

interface BatchStatement {
  readonly sql: string;
  readonly args?: readonly unknown[];
  readonly parameters?: readonly unknown[];
}

type Batch = (statements: readonly BatchStatement[], ...rest: unknown[]) => Promise<readonly unknown[]>;

/** The object with the driver's batch: its libSQL client, or the adapter of one of durably's dialects. */
function batchHolderOf(driver: Driver): { batch: Batch } | undefined {
  for (const name of ['client', 'adapter'] as const) {
    const holder: unknown = name in driver ? (driver as unknown as Record<string, unknown>)[name] : undefined;
    if (typeof holder === 'object' && holder !== null && 'batch' in holder) return holder as { batch: Batch };
  }
  return undefined;
}

function wrapBatch(batch: Batch, around: Around): Batch {
  return async (statements, ...rest) => {
    let results: readonly unknown[] = [];
    const executeFrom = async (i: number): Promise<QueryResult<unknown>> => {
      const statement = statements[i];
      if (statement === undefined) {
        results = await batch(statements, ...rest);
        return { rows: [] };
      }
      const { sql, args = statement.parameters ?? [] } = statement;
      const execute = async () => {
        await executeFrom(i + 1);
        return results[i] as QueryResult<unknown>;
      };
      return await around(CompiledQuery.raw(sql, [...args]), execute, { isFirst: i === 0 });
    };
    await executeFrom(0);
    return results;
  };
}
