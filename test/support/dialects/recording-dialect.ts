import type { DatabaseConnection, Dialect, Driver } from 'kysely';
import { countUnderWay } from '../idle.ts';

export interface RecordedStatement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** The dialect, with a record of every statement that its driver receives. */
export function recordStatements(dialect: Dialect): { dialect: Dialect; statements: RecordedStatement[] } {
  const statements: RecordedStatement[] = [];
  const recording: Dialect = {
    createDriver: () => recordingDriver(dialect.createDriver(), statements),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  };
  return { dialect: recording, statements };
}

/** The driver with wrapped methods. Its other properties, such as a client, stay visible. */
function recordingDriver(driver: Driver, statements: RecordedStatement[]): Driver {
  const seen = new WeakSet<DatabaseConnection>();
  const acquire = driver.acquireConnection.bind(driver);
  driver.acquireConnection = async () => {
    const connection = await acquire();
    if (seen.has(connection)) return connection;
    seen.add(connection);
    const execute = connection.executeQuery.bind(connection);
    connection.executeQuery = (query) => {
      statements.push({ sql: query.sql, parameters: query.parameters });
      return countUnderWay(() => execute(query));
    };
    return connection;
  };
  const begin = driver.beginTransaction.bind(driver);
  driver.beginTransaction = (connection, settings) => {
    statements.push({ sql: 'begin', parameters: [] });
    return countUnderWay(() => begin(connection, settings));
  };
  return driver;
}
