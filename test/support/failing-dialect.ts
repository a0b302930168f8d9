import type { CompiledQuery, DatabaseConnection, Dialect, Driver } from 'kysely';

/** The dialect, with a driver that throws what `faultOf` answers instead of executing a statement. */
export function failStatements(
  dialect: Dialect,
  faultOf: (query: CompiledQuery) => Error | undefined,
): Dialect {
  return {
    createDriver: () => failingDriver(dialect.createDriver(), faultOf),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  };
}

/** The driver itself, its methods wrapped: what else it shows (a client, say) stays visible. */
function failingDriver(driver: Driver, faultOf: (query: CompiledQuery) => Error | undefined): Driver {
  const seen = new WeakSet<DatabaseConnection>();
  const acquire = driver.acquireConnection.bind(driver);
  driver.acquireConnection = async () => {
    const connection = await acquire();
    if (seen.has(connection)) return connection;
    seen.add(connection);
    const execute = connection.executeQuery.bind(connection);
    connection.executeQuery = async (query) => {
      const fault = faultOf(query);
      if (fault) throw fault;
      return await execute(query);
    };
    return connection;
  };
  return driver;
}

/** An error as drivers throw it. */
export function databaseError(code: string): Error {
  return Object.assign(new Error(`${code}: as the driver says it`), { code });
}
