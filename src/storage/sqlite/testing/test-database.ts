import type { Dialect } from 'kysely';
import { localDialect } from '../file/local-dialect.ts';
import { TimedConnection } from './timed-connection.ts';

/** When something in the database comes by itself. */
const DUES = {
  waits: `select min(due_at) from durably_runs where status = 'waiting' and due_at > ?1`,
  deadlines: `select min(deadline_at) from durably_runs where status in ('pending', 'waiting', 'running') and deadline_at > ?1`,
  // Nobody executes them, or they would not be looked for.
  takeovers: `select min(heartbeat_at) + ?2 + 1 from durably_runs where status = 'running' and heartbeat_at + ?2 + 1 > ?1`,
  schedules: `select min(next_at) from durably_schedules where paused_at is null and next_at > ?1`,
};

/** They exist once a job with limits is used. */
const DUES_OF_LIMITS = {
  openings: 'select min(opens_at) from durably_lines where opens_at > ?1',
  throttles: 'select min(full_at) from durably_rates where full_at > ?1',
};

/** A database in memory, for one test. */
export interface TestDatabase {
  /** For one more instance on it. */
  dialect(): Dialect;
  /** When the first thing comes by itself after that time, if no run is being executed. Undefined if nothing does. */
  nextDueMs(look: { readonly afterMs: number; readonly staleThresholdMs: number }): number | undefined;
  /** Runs may be created by the next statement, though it does not look like that. */
  expectRuns(): void;
  /** How many statements were executed on it. */
  readonly statements: number;
  close(): void;
}

/** @param nowMs its time, whole ms since the epoch */
export function openTestDatabase(nowMs: () => number): TestDatabase {
  const connection = new TimedConnection(nowMs);
  const hasLimits = () =>
    connection.prepare(`select 1 from sqlite_schema where name = 'durably_lines'`).all([]).length > 0;
  return {
    dialect: () => localDialect(connection),
    nextDueMs({ afterMs, staleThresholdMs }) {
      const dues = Object.values(hasLimits() ? { ...DUES, ...DUES_OF_LIMITS } : DUES);
      const sql = `select min(at) as at from (${dues.map((due) => `select (${due}) as at`).join(' union all ')})`;
      const [row] = connection.prepare(sql).all([afterMs, staleThresholdMs]);
      const { at } = row as { readonly at: number | null };
      return at === null ? undefined : Math.ceil(at);
    },
    expectRuns: () => connection.tellDefaults(),
    get statements() {
      return connection.statements;
    },
    close: () => connection.close(),
  };
}
