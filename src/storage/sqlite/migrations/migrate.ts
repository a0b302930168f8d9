import { CompiledQuery, type Kysely, type Transaction } from 'kysely';
import type { Clock } from '../../../core/clock.ts';
import { errorMessage } from '../../../core/errors/error-text.ts';
import { DatabaseUnavailableError, DurablyError, SchemaMismatchError } from '../../../core/errors/errors.ts';
import { type PauseBounds, pauseBeforeRetry } from '../../../core/retry-pause.ts';
import type { Batch } from '../adapter.ts';
import { AccessRefusedError, classifyDatabaseError } from '../connection/database-error.ts';
import { readOnlyError, WRITE_CHECK, writeCheck } from '../connection/dialect-check.ts';
import { rowsOf } from '../connection/libsql-client.ts';
import type { Schema } from '../schema.ts';
import { NOW_MS } from '../sql.ts';
import { migrations } from './migrations.generated.ts';

/** Our tables and views, and the first version of the schema that has them. */
const OUR_TABLES: Readonly<Record<string, number>> = {
  durably_runs: 1,
  durably_steps: 1,
  durably_journal: 1,
  durably_schema_versions: 1,
  durably_labels: 1,
  durably_appends: 1,
  durably_deletions: 1,
};
const NEWEST = migrations.length;
const BUDGET_MS = 10_000;
const RETRY_PAUSE: PauseBounds = { firstMs: 10, maxMs: 250 };
/** Tables and version are read by two statements. While another process migrates, they may not match. */
const MAX_SCHEMA_READS = 3;

interface MigrationStatement {
  readonly sql: string;
  readonly parameters: readonly (string | number)[];
}

export interface MigrateOptions {
  readonly db: Kysely<Schema>;
  readonly clock: Clock;
  /**
   * Executes statements in one request and one transaction, if the driver can. One by one, a
   * migration would take forty round trips over a network, and a server ends a transaction after
   * five seconds.
   */
  readonly batch: Batch | undefined;
  /** Receives the rows of a {@link WRITE_CHECK} that was part of a batch. */
  readonly onWriteChecked: (rows: readonly Readonly<Record<string, unknown>>[]) => void;
}

/**
 * Brings the schema up to date in one transaction, so that it is either unchanged or complete. If
 * several processes start at once, one migrates. The others find the result, or try again.
 *
 * @throws {SchemaMismatchError} if the tables are not ours, or newer. Nothing is changed then.
 */
export async function migrate({ db, clock, batch, onWriteChecked }: MigrateOptions): Promise<void> {
  const checked = batch && { batch, onWriteChecked };
  const start = clock.monotonicMs();
  let refusal: unknown;
  for (let tries = 0; ; tries++) {
    try {
      const found = await readSchema(db, checked);
      if (found?.version === NEWEST && found.isWhole) return;
      if (refusal !== undefined) throw cannotMigrate(refusal);
      if (checked) await applyInBatch(db, { ...checked, found });
      else await db.transaction().execute(applyPending);
      return;
    } catch (error) {
      if (error instanceof DurablyError) throw error;
      // The failed transaction has left nothing behind. Another process may have migrated meanwhile.
      const fault = classifyDatabaseError(error, true);
      if (fault === 'denied') throw new AccessRefusedError(error);
      const readOnly = readOnlyError(error, fault);
      if (readOnly) throw readOnly;
      if (fault === 'statement') {
        if (batch === undefined) throw cannotMigrate(error);
        // Another process was faster, or the answer to this process's own batch was lost. The schema shows
        // which.
        refusal = error;
      }
      if (clock.monotonicMs() - start > BUDGET_MS) {
        throw new DatabaseUnavailableError('The database could not be migrated', { cause: error });
      }
    }
    await pauseBeforeRetry(clock, tries, RETRY_PAUSE);
  }
}

function cannotMigrate(error: unknown): SchemaMismatchError {
  return new SchemaMismatchError(`The database can't be migrated: ${errorMessage(error)}`, { cause: error });
}

async function applyPending(transaction: Transaction<Schema>): Promise<void> {
  const execute = ({ sql, parameters }: MigrationStatement) =>
    transaction.executeQuery(CompiledQuery.raw(sql, [...parameters]));
  // Takes the write lock before anything is read. A transaction that has read first could fail to get the
  // lock, whatever statement the dialect begins it with.
  await execute(plain('create table durably_migrating (lock integer)'));
  await execute(plain('drop table durably_migrating'));
  const found = await readSchema(transaction);
  if (found?.isWhole === false) throw notOurs(found.tables);
  for (const statement of pendingStatements(found)) await execute(statement);
}

async function applyInBatch(
  db: Kysely<Schema>,
  { batch, onWriteChecked, found }: CheckedBatch & { found: FoundSchema | null },
): Promise<void> {
  let schema = found;
  for (let reads = 1; schema?.isWhole === false; reads++) {
    if (reads === MAX_SCHEMA_READS) throw notOurs(schema.tables);
    schema = await readSchema(db);
  }
  const pending = pendingStatements(schema);
  if (pending.length > 0) onWriteChecked(rowsOf((await batch([...pending, WRITE_CHECK])).at(-1)));
}

/** Each migration is recorded before its statements, so that a process that is late fails at the record. */
function pendingStatements(found: FoundSchema | null): MigrationStatement[] {
  const first = plain(
    'create table durably_schema_versions (version integer primary key, name text not null, applied_at integer not null) strict',
  );
  const steps = migrations.slice(found?.version ?? 0).flatMap((migration) => [
    {
      sql: `insert into durably_schema_versions (version, name, applied_at) values (?, ?, ${NOW_MS})`,
      parameters: [migration.version, migration.name],
    },
    ...migration.statements.map(plain),
  ]);
  return found === null ? [first, ...steps] : steps;
}

function plain(sql: string): MigrationStatement {
  return { sql, parameters: [] };
}

interface FoundSchema {
  readonly version: number;
  readonly tables: readonly string[];
  /**
   * Whether the tables are those of the version. They are not if another process migrates between
   * the two reads.
   */
  readonly isWhole: boolean;
}

type CheckedBatch = Pick<MigrateOptions, 'onWriteChecked'> & { readonly batch: Batch };

const VERSIONS = 'select version, name from durably_schema_versions order by version';

/** A schema of another version is never changed. */
const CHECK_OF_NEWEST = writeCheck(
  `version = 1 and (select max(version) from durably_schema_versions) = ${NEWEST}`,
);

/**
 * Reads the versions. Over a network the same request shows whether writes are allowed. @throws the
 * error that denies a write
 */
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
  // Some drivers return bigints.
  return rows.map(({ version, name }) => ({ version: Number(version), name }));
}

/** Our schema in the database. Null if there is none. @throws {SchemaMismatchError} */
async function readSchema(db: Kysely<Schema>, checked?: CheckedBatch): Promise<FoundSchema | null> {
  const found = await db
    .selectFrom('sqlite_master')
    .select(['name', 'sql'])
    .where('name', 'in', Object.keys(OUR_TABLES))
    .execute();
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
  return { version, tables, isWhole };
}

function notOurs(tables: readonly string[]): SchemaMismatchError {
  return new SchemaMismatchError(
    `The database holds tables that are not this durably's: ${tables.join(', ')}`,
  );
}
