import { CompiledQuery, type Kysely, type Transaction } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { DatabaseUnavailableError, DurablyError, SchemaMismatchError } from '../core/errors.ts';
import { AccessRefusedError, classifyDatabaseError } from './database-error.ts';
import type { Batch } from './libsql-client.ts';
import { migrations } from './migrations.generated.ts';
import type { Schema } from './schema.ts';
import { NOW_MS } from './sql.ts';

const OUR_TABLES = ['durably_runs', 'durably_steps', 'durably_journal', 'durably_schema_versions'] as const;
const NEWEST = migrations.length;
const BUDGET_MS = 10_000;

interface MigrationStatement {
  readonly sql: string;
  readonly parameters: readonly (string | number)[];
}

export interface MigrateOptions {
  readonly db: Kysely<Schema>;
  readonly clock: Clock;
  /**
   * Executes statements in one request and one transaction, where the driver
   * can: over a network one by one would be forty round trips, and the server
   * ends a transaction after five seconds.
   */
  readonly batch: Batch | undefined;
}

/**
 * Brings the schema up to date: one transaction, so that it is either as it
 * was or whole. Of several processes that start at once one migrates, the
 * others find its work or try again.
 *
 * @throws {SchemaMismatchError} if the tables are not ours, or newer; nothing is touched then.
 */
export async function migrate({ db, clock, batch }: MigrateOptions): Promise<void> {
  const start = clock.monotonicMs();
  for (let tries = 0; ; tries++) {
    try {
      const version = await schemaVersion(db);
      if (version === NEWEST) return;
      if (batch) await batch(pendingStatements(version));
      else await db.transaction().execute(applyPending);
      return;
    } catch (error) {
      if (error instanceof DurablyError) throw error;
      // Whatever met the transaction, it left nothing behind; another process may have migrated meanwhile.
      const fault = classifyDatabaseError(error, true);
      if (fault === 'denied') throw new AccessRefusedError(error);
      const isOvertaken = fault === 'statement' && batch && (await schemaVersion(db)) === NEWEST;
      if (isOvertaken) return;
      if (fault === 'statement') throw error;
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
  const execute = ({ sql, parameters }: MigrationStatement) =>
    transaction.executeQuery(CompiledQuery.raw(sql, [...parameters]));
  // Takes the write lock before anything is read, whatever the dialect begins
  // with: of several transactions that have read, none could go on to write.
  await execute(plain('create table durably_migrating (lock integer)'));
  await execute(plain('drop table durably_migrating'));
  const version = await schemaVersion(transaction);
  for (const statement of pendingStatements(version)) await execute(statement);
}

/** A migration is entered before it is made: in a process that is late, it is that which fails. */
function pendingStatements(version: number | null): MigrationStatement[] {
  const first = plain(
    'create table durably_schema_versions (version integer primary key, name text not null, applied_at integer not null) strict',
  );
  const steps = migrations.slice(version ?? 0).flatMap((migration) => [
    {
      sql: `insert into durably_schema_versions (version, name, applied_at) values (?, ?, ${NOW_MS})`,
      parameters: [migration.version, migration.name],
    },
    ...migration.statements.map(plain),
  ]);
  return version === null ? [first, ...steps] : steps;
}

function plain(sql: string): MigrationStatement {
  return { sql, parameters: [] };
}

/** The version of our schema in the database; null where there is none. @throws {SchemaMismatchError} */
async function schemaVersion(db: Kysely<Schema>): Promise<number | null> {
  const found = await db
    .selectFrom('sqlite_master')
    .select(['name', 'sql'])
    .where('name', 'in', OUR_TABLES)
    .execute();
  if (found.length === 0) return null;
  const versionsTable = found.find(({ name }) => name === 'durably_schema_versions');
  if (found.length < OUR_TABLES.length || !versionsTable?.sql?.includes('applied_at integer')) {
    const names = found.map(({ name }) => name).join(', ');
    throw new SchemaMismatchError(`The database holds tables that are not this durably's: ${names}`);
  }
  const applied = await db
    .selectFrom('durably_schema_versions')
    .select(['version', 'name'])
    .orderBy('version')
    .execute();
  const newest = applied.at(-1)?.version ?? 0;
  if (newest > NEWEST) {
    throw new SchemaMismatchError(
      `The database's schema is version ${newest}; this durably knows versions up to ${NEWEST}`,
    );
  }
  const foreign = applied.find(({ version, name }) => migrations[version - 1]?.name !== name);
  if (foreign) {
    throw new SchemaMismatchError(
      `The database's schema has an unknown migration ${foreign.version} ${foreign.name}`,
    );
  }
  return newest;
}
