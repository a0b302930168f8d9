import type { CompiledQuery, DatabaseConnection, Dialect, Driver, QueryResult } from 'kysely';

type Execute = () => Promise<QueryResult<unknown>>;

/** The dialect, with a driver that passes every statement through `intercept`. */
export function interceptStatements(
  dialect: Dialect,
  intercept: (query: CompiledQuery, execute: Execute) => Promise<QueryResult<unknown>>,
): Dialect {
  return {
    createDriver: () => interceptingDriver(dialect.createDriver(), intercept),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  };
}

/** The driver with wrapped methods. Its other properties, such as a client, stay visible. */
function interceptingDriver(driver: Driver, intercept: Parameters<typeof interceptStatements>[1]): Driver {
  const seen = new WeakSet<DatabaseConnection>();
  const acquire = driver.acquireConnection.bind(driver);
  driver.acquireConnection = async () => {
    const connection = await acquire();
    if (seen.has(connection)) return connection;
    seen.add(connection);
    const execute = connection.executeQuery.bind(connection);
    connection.executeQuery = (<R>(query: CompiledQuery) =>
      intercept(query, () => execute<R>(query))) as DatabaseConnection['executeQuery'];
    return connection;
  };
  return driver;
}

/** The dialect, with a driver that throws the result of `faultOf` instead of executing a statement. */
export function failStatements(
  dialect: Dialect,
  faultOf: (query: CompiledQuery) => Error | undefined,
): Dialect {
  return interceptStatements(dialect, async (query, execute) => {
    const fault = faultOf(query);
    if (fault) throw fault;
    return await execute();
  });
}

/**
 * The dialect, with a driver that executes the chosen statements and then throws as if the network had lost the
 * answer.
 */
export function loseAnswers(dialect: Dialect, isLost: (query: CompiledQuery) => boolean): Dialect {
  return interceptStatements(dialect, async (query, execute) => {
    const result = await execute();
    if (isLost(query)) throw new Error('the connection was reset');
    return result;
  });
}

/** An error like those of drivers. */
export function databaseError(code: string): Error {
  return Object.assign(new Error(`${code}: as the driver says it`), { code });
}
