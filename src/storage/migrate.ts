import { CompiledQuery, type Kysely, type Transaction } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { DatabaseUnavailableError, DurablyError, SchemaMismatchError } from '../core/errors.ts';
import { classifyDatabaseError } from './database-error.ts';
import { migrations } from './migrations.generated.ts';
import type { Schema } from './schema.ts';
import { NOW_MS } from './sql.ts';

/** Our tables, and the version of the schema since which there are such. */
const OUR_TABLES: Readonly<Record<string, number>> = {
  durably_runs: 1,
  durably_steps: 1,
  durably_journal: 1,
  durably_schema_versions: 1,
  durably_labels: 2,
};
const NEWEST = migrations.length;
const BUDGET_MS = 10_000;

/**
 * Brings the schema up to date: one transaction, so that it is either as it
 * was or whole. Of several processes that start at once one migrates, the
 * others find its work or try again.
 *
 * @throws {SchemaMismatchError} if the tables are not ours, or newer; nothing is touched then.
 */
export async function migrate(db: Kysely<Schema>, clock: Clock): Promise<void> {
  const start = clock.monotonicMs();
  for (let tries = 0; ; tries++) {
    try {
      const found = await readSchema(db);
      if (found?.version === NEWEST && found.isWhole) return;
      await db.transaction().execute(applyPending);
      return;
    } catch (error) {
      if (error instanceof DurablyError) throw error;
      // Whatever met the transaction, it left nothing behind; another process may have migrated meanwhile.
      if (classifyDatabaseError(error, true) === 'statement') throw error;
      if (clock.monotonicMs() - start > BUDGET_MS) {
        throw new DatabaseUnavailableError('The database could not be migrated', { cause: error });
      }
    }
    await new Promise<void>((resolve) =>
      clock.schedule(Math.random() * Math.min(250, 10 * 2 ** tries), resolve),
    );
  }
}

async function applyPending(transaction: Transaction<Schema>): Promise<void> {
  const execute = (sql: string, parameters: readonly unknown[] = []) =>
    transaction.executeQuery(CompiledQuery.raw(sql, [...parameters]));
  // Takes the write lock before anything is read, whatever the dialect begins
  // with: of several transactions that have read, none could go on to write.
  await execute('create table durably_migrating (lock integer)');
  await execute('drop table durably_migrating');
  const found = await readSchema(transaction);
  if (found === null) {
    await execute(
      'create table durably_schema_versions (version integer primary key, name text not null, applied_at integer not null) strict',
    );
  } else if (!found.isWhole) throw notOurs(found.tables);
  for (const migration of migrations.slice(found?.version ?? 0)) {
    for (const statement of migration.statements) await execute(statement);
    await execute(
      `insert into durably_schema_versions (version, name, applied_at) values (?, ?, ${NOW_MS})`,
      [migration.version, migration.name],
    );
  }
}

interface FoundSchema {
  readonly version: number;
  readonly tables: readonly string[];
  /** Whether the tables are those of the version: not if another process migrates between the two reads. */
  readonly isWhole: boolean;
}

/** Our schema in the database; null where there is none. @throws {SchemaMismatchError} */
async function readSchema(db: Kysely<Schema>): Promise<FoundSchema | null> {
  const found = await db
    .selectFrom('sqlite_master')
    .select(['name', 'sql'])
    .where('name', 'in', Object.keys(OUR_TABLES))
    .execute();
  if (found.length === 0) return null;
  const tables = found.map(({ name }) => name);
  const versionsTable = found.find(({ name }) => name === 'durably_schema_versions');
  if (!versionsTable?.sql?.includes('applied_at integer')) throw notOurs(tables);
  const applied = await db
    .selectFrom('durably_schema_versions')
    .select(['version', 'name'])
    .orderBy('version')
    .execute();
  const version = applied.at(-1)?.version ?? 0;
  if (version > NEWEST) {
    throw new SchemaMismatchError(
      `The database's schema is version ${version}; this durably knows versions up to ${NEWEST}`,
    );
  }
  const foreign = applied.find(({ version, name }) => migrations[version - 1]?.name !== name);
  if (foreign) {
    throw new SchemaMismatchError(
      `The database's schema has an unknown migration ${foreign.version} ${foreign.name}`,
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
