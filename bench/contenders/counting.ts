/** Counts statements. */
export class StatementCounter {
  count = 0;
}

/** A Kysely dialect of any version. */
interface Countable {
  createDriver(): { acquireConnection(): Promise<object> };
}

/**
 * Makes a Kysely dialect count its statements. It changes the dialect in place, because the engines read the
 * dialect's and the driver's own properties.
 */
export function countDialect(dialect: Countable, counter: StatementCounter): void {
  const createDriver = dialect.createDriver.bind(dialect);
  const counted = new WeakSet<object>();
  dialect.createDriver = () => {
    const driver = createDriver();
    const acquire = driver.acquireConnection.bind(driver);
    driver.acquireConnection = async () => {
      const connection = await acquire();
      if (!counted.has(connection)) {
        counted.add(connection);
        countCalls(connection, 'executeQuery', counter);
      }
      return connection;
    };
    for (const method of ['beginTransaction', 'commitTransaction', 'rollbackTransaction']) {
      countCalls(driver, method, counter);
    }
    return driver;
  };
}

interface SyncDatabase {
  prepare(sql: string): object;
  exec(sql: string): unknown;
}

/** Does the same for a driver with the interface of better-sqlite3. */
export function countDatabase(database: SyncDatabase, counter: StatementCounter): void {
  const prepare = database.prepare.bind(database);
  database.prepare = (sql) => {
    const statement = prepare(sql);
    for (const method of ['run', 'get', 'all']) countCalls(statement, method, counter);
    return statement;
  };
  countCalls(database, 'exec', counter);
}

function countCalls(target: object, method: string, counter: StatementCounter): void {
  const call: unknown = Reflect.get(target, method);
  if (typeof call !== 'function') throw new TypeError(`no method ${method} to count`);
  Reflect.set(target, method, (...args: unknown[]) => {
    counter.count++;
    return call.apply(target, args);
  });
}
