import type { Dialect } from 'kysely';
import { countUnderWay } from '../idle.ts';
import { wrapDialect } from './wrapped-driver.ts';

export interface RecordedStatement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  /** Statements that left in one batch have the same number. */
  readonly trip: number;
}

/** How many times the database was asked. The statements of a batch count once. */
export function tripsOf(statements: readonly RecordedStatement[]): number {
  return new Set(statements.map(({ trip }) => trip)).size;
}

/** The dialect, with a record of every statement that its driver is given. */
export function recordStatements(dialect: Dialect): { dialect: Dialect; statements: RecordedStatement[] } {
  const statements: RecordedStatement[] = [];
  let trips = 0;
  const recording = wrapDialect(dialect, {
    around: ({ sql, parameters }, execute, { isFirst }) => {
      if (isFirst) trips++;
      statements.push({ sql, parameters, trip: trips });
      return countUnderWay(execute);
    },
    onBegin: () => statements.push({ sql: 'begin', parameters: [], trip: ++trips }),
  });
  return { dialect: recording, statements };
}
