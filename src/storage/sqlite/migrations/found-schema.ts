import type { Kysely } from 'kysely';
import { DurablyError, SchemaMismatchError } from '../../../core/errors/errors.ts';
import type { Freshness } from '../../../core/store.ts';
import type { Batch } from '../adapter.ts';
import { classifyDatabaseError } from '../connection/database-error.ts';
import { readOnlyError, writeCheck } from '../connection/dialect-check.ts';
import { rowsOf } from '../connection/libsql-client.ts';
import type { Schema } from '../schema.ts';
import { migrations } from './migrations.generated.ts';

/** Our tables and views, and the version of the schema that first had each. */
const OUR_TABLES: Readonly<Record<string, number>> = {
  durably_runs: 1,
  durably_steps: 1,
  durably_journal: 1,
  durably_schema_versions: 1,
  durably_labels: 1,
  durably_appends: 1,
  durably_deletions: 1,
  durably_endings: 4,
  durably_all_appends: 4,
  durably_signals: 4,
  durably_forks: 5,
  durably_paused_jobs: 6,
  durably_clock_steps: 9,
  durably_quick_deletions: 9,
  durably_counts: 9,
  durably_counting: 9,
  durably_counted: 9,
  durably_schedules: 10,
  durably_firings: 10,
  durably_stats: 11,
  durably_stats_spans: 11,
  durably_stats_place: 11,
  durably_stat_events: 11,
  durably_stats_added: 11,
  durably_workers: 11,
};
export const NEWEST = migrations.length;
/** The last object of the optional part `limits`: the part may have been added one statement after another. */
export const LAST_OF_LIMITS = 'durably_runs_released';
/** The last object of the optional part `webhooks`. */
const LAST_OF_WEBHOOKS = 'durably_runs_announced';

export interface MigrationStatement {
  readonly sql: string;
  readonly parameters: readonly (string | number)[];
}

export function plain(sql: string): MigrationStatement {
  return { sql, parameters: [] };
}

export interface FoundSchema {
  readonly version: number;
  readonly tables: readonly string[];
  /** Whether the optional part `limits` was added. */
  readonly hasLimits: boolean;
  /** The same of `webhooks`. */
  readonly hasWebhooks: boolean;
  /** Whether the tables are those of the version. They are not if another process migrates between the two reads. */
  readonly isWhole: boolean;
}

/** A way to send a write check together with other statements, and the receiver of the rows that it returns. */
export interface CheckedBatch {
  readonly batch: Batch;
  readonly onWriteChecked: (rows: readonly Readonly<Record<string, unknown>>[]) => void;
}

const VERSIONS = 'select version, name from durably_schema_versions order by version';

/** Changes nothing unless the schema has our version. */
const CHECK_OF_NEWEST = writeCheck(
  `version = 1 and (select max(version) from durably_schema_versions) = ${NEWEST}`,
);

/** Over a network the same request shows whether this process may write. @throws the error if it may not */
async function readVersions(
  db: Kysely<Schema>,
  checked: CheckedBatch | undefined,
): Promise<{ version: number; name: string }[]> {
  if (checked) {
    try {
      const [versions, written] = await checked.batch([plain(VERSIONS), CHECK_OF_NEWEST]);
      const rows = rowsOf(written);
      if (rows.length > 0) checked.onWriteChecked(rows);
      return rowsOf(versions).map(({ version, name }) => ({ version: Number(version), name: String(name) }));
    } catch (error) {
      const fault = classifyDatabaseError(error, true);
      if (error instanceof DurablyError || readOnlyError(error, fault)) throw error;
      // A write may have to wait. A read is enough to know whether the schema is ours.
    }
  }
  const rows = await db
    .selectFrom('durably_schema_versions')
    .select(['version', 'name'])
    .orderBy('version')
    .execute();
  // Some drivers have bigints.
  return rows.map(({ version, name }) => ({ version: Number(version), name }));
}

const TABLE_NAMES = [...Object.keys(OUR_TABLES), LAST_OF_LIMITS, LAST_OF_WEBHOOKS];
const TABLES = `
select name, sql from sqlite_master where name in (${TABLE_NAMES.map((name) => `'${name}'`)})`;

/** They leave nothing behind, but a batch with them writes, so a read replica passes it on to its primary. */
const TOUCHES = [
  'create table if not exists durably_migrating (lock integer)',
  'drop table durably_migrating',
];

interface TableRow {
  readonly name: string;
  readonly sql: string | null;
}

async function readTables(
  db: Kysely<Schema>,
  checked: CheckedBatch | undefined,
  asOf: Freshness,
): Promise<readonly TableRow[]> {
  if (checked !== undefined && asOf === 'now') {
    const answers = await checked.batch([...TOUCHES, TABLES].map(plain));
    return rowsOf(answers.at(-1)).map(({ name, sql }) => ({ name: String(name), sql: String(sql) }));
  }
  return await db
    .selectFrom('sqlite_master')
    .select(['name', 'sql'])
    .where('name', 'in', TABLE_NAMES)
    .execute();
}

/** Our schema in the database. Null if there is none. @throws {SchemaMismatchError} */
export async function readSchema(
  db: Kysely<Schema>,
  checked?: CheckedBatch,
  asOf: Freshness = 'recently',
): Promise<FoundSchema | null> {
  const found = await readTables(db, checked, asOf);
  if (found.length === 0) return null;
  const tables = found.map(({ name }) => name);
  const versionsTable = found.find(({ name }) => name === 'durably_schema_versions');
  if (!versionsTable?.sql?.includes('applied_at integer')) throw notOurs(tables);
  const applied = await readVersions(db, checked);
  const version = applied.at(-1)?.version ?? 0;
  const foreign = applied.find(
    ({ version, name }) => version <= NEWEST && migrations[version - 1]?.name !== name,
  );
  if (foreign) {
    throw new SchemaMismatchError(
      `The database's schema has an unknown migration ${foreign.version} ${foreign.name}. ` +
        "One made before the first release can't be migrated: start with an empty database",
    );
  }
  if (version > NEWEST) {
    throw new SchemaMismatchError(
      `The database's schema is version ${version}; this durably knows versions up to ${NEWEST}`,
    );
  }
  const isWhole = Object.entries(OUR_TABLES).every(
    ([name, since]) => tables.includes(name) === since <= version,
  );
  return {
    version,
    tables,
    hasLimits: tables.includes(LAST_OF_LIMITS),
    hasWebhooks: tables.includes(LAST_OF_WEBHOOKS),
    isWhole,
  };
}

/** The refusal of a schema that is not whole. */
export function notWhole({ version, tables }: FoundSchema): SchemaMismatchError {
  const names = Object.entries(OUR_TABLES);
  const missing = names.flatMap(([name, since]) =>
    since <= version && !tables.includes(name) ? [name] : [],
  );
  if (missing.length === 0)
    return notOurs(
      names.flatMap(([name, since]) => (since > version && tables.includes(name) ? [name] : [])),
    );
  return new SchemaMismatchError(
    `The database's schema is version ${version}, but has no ${missing.join(', ')}: was it dropped?`,
  );
}

function notOurs(tables: readonly string[]): SchemaMismatchError {
  return new SchemaMismatchError(
    `The database holds tables that are not this durably's: ${tables.join(', ')}`,
  );
}
