import { pathToFileURL } from 'node:url';
import type { GivenDatabase } from '../../support/given-database.ts';
import type { Settings } from './fleet.ts';
import { countOpen, OPEN, type Records, readRecords, toRecords } from './records.ts';

/** A page of a table, so that no answer of a server is too large. */
const PAGE_ROWS = 2_000;

/** Reports of workers when an answer was lost for longer than it is asked for. */
export const OUTAGES = [
  'cancel-below',
  'purge',
  'stats',
  'schedule',
  'append',
  'claim',
  'execute',
  'feed',
  'hand-back',
  'heartbeat',
  'telemetry',
];

/** What a fleet has stored, read by somebody who has written nothing. */
export interface StoredRecords {
  /** By which the processes find the database, and get on with it. */
  readonly settings: Settings;
  /** How long to wait for the end of all runs and streams. */
  readonly patienceMs: number;
  /** The contexts of worker errors that this database may cause. */
  readonly expectedErrors: readonly string[];
  /** The number of runs that have not ended. */
  countOpen(): Promise<number>;
  read(): Promise<Records>;
  /** Removes everything that is stored. */
  clear(): Promise<void>;
}

/** A file in the fleet's folder, which the fleet deletes. */
export class FileRecords implements StoredRecords {
  readonly #path: string;
  readonly settings: Settings;
  readonly patienceMs = 40_000;
  readonly expectedErrors = [];

  constructor(path: string) {
    this.#path = path;
    this.settings = { TURSO_DATABASE_URL: pathToFileURL(path).href };
  }

  async countOpen(): Promise<number> {
    return countOpen(this.#path);
  }

  async read(): Promise<Records> {
    return readRecords(this.#path);
  }

  async clear(): Promise<void> {}
}

/** A database on a server that was named on the command line. */
export class ServerRecords implements StoredRecords {
  readonly #database: GivenDatabase;
  readonly settings: Settings;
  readonly patienceMs = 180_000;
  /** An answer may be lost, or come late. */
  readonly expectedErrors = [...OUTAGES, 'lease'];

  constructor(database: GivenDatabase) {
    this.#database = database;
    const { url, authToken } = database;
    this.settings = {
      TURSO_DATABASE_URL: url,
      ...(authToken && { TURSO_AUTH_TOKEN: authToken }),
      // Longer than libsql-server holds up a write when the process that has the lock is killed.
      DURABLY_STALE_THRESHOLD_MS: 15_000,
      DURABLY_HEARTBEAT_INTERVAL_MS: 1_000,
    };
  }

  async countOpen(): Promise<number> {
    const [row] = await this.#database.select(OPEN);
    return Number(row?.open);
  }

  /** Not at one moment: nothing may be written meanwhile. */
  async read(): Promise<Records> {
    return toRecords({
      runs: await this.#readTable('durably_runs', 'seq'),
      steps: await this.#readTable('durably_steps', 'sequence'),
      journal: await this.#readTable('durably_journal', 'sequence'),
      signals: await this.#readTable('durably_signals', 'seq'),
    });
  }

  async clear(): Promise<void> {
    await this.#database.clear();
  }

  async #readTable(table: string, key: string): Promise<Record<string, unknown>[]> {
    const rows: Record<string, unknown>[] = [];
    for (;;) {
      const after = Number(rows.at(-1)?.[key] ?? 0);
      const sql = `select ${key}, * from ${table} where ${key} > ? order by ${key} limit ${PAGE_ROWS}`;
      const page = await this.#database.select({ sql, args: [after] });
      rows.push(...page);
      if (page.length < PAGE_ROWS) return rows;
    }
  }
}
