import { CompiledQuery, type Kysely, type Transaction } from 'kysely';
import { errorMessage } from '../../../core/errors/error-text.ts';
import { DatabaseUnavailableError, DurablyError, SchemaMismatchError } from '../../../core/errors/errors.ts';
import { type PauseBounds, pauseBeforeRetry } from '../../../core/retries/retry-pause.ts';
import type { Clock } from '../../../core/time/clock.ts';
import type { Batch } from '../adapter.ts';
import { AccessRefusedError, classifyDatabaseError } from '../connection/database-error.ts';
import { readOnlyError, WRITE_CHECK } from '../connection/dialect-check.ts';
import { rowsOf } from '../connection/libsql-client.ts';
import type { Schema } from '../schema.ts';
import { NOW_MS } from '../sql.ts';
import {
  type CheckedBatch,
  type FoundSchema,
  type MigrationStatement,
  NEWEST,
  notWhole,
  plain,
  readSchema,
} from './found-schema.ts';
import { migrations } from './migrations.generated.ts';

const BUDGET_MS = 10_000;
const RETRY_PAUSE: PauseBounds = { firstMs: 10, maxMs: 250 };
/** How long to wait for a replica to get the tables. Until it has them, reads through it are refused. */
const SEEN_WITHIN_MS = 5_000;
const SEEN_PAUSE_MS = 50;
/** Tables and version are two reads, which may not fit together while another process migrates. */
const MAX_SCHEMA_READS = 3;

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
 * @returns which optional parts were added to the schema.
 * @throws {SchemaMismatchError} if the tables are not ours, or newer. Nothing is changed then.
 */
export async function migrate({
  db,
  clock,
  batch,
  onWriteChecked,
}: MigrateOptions): Promise<Pick<FoundSchema, 'hasLimits' | 'hasWebhooks'>> {
  const checked = batch && { batch, onWriteChecked };
  const start = clock.monotonicMs();
  let refusal: unknown;
  /** Whether a read may still show the old schema, as a replica's does for a moment. */
  let mayLag = false;
  let parts = { hasLimits: false, hasWebhooks: false };
  for (let tries = 0; ; tries++) {
    try {
      const found = await readSchema(db, checked, mayLag ? 'now' : 'recently');
      if (found !== null) parts = { hasLimits: found.hasLimits, hasWebhooks: found.hasWebhooks };
      if (found?.version === NEWEST && found.isWhole) break;
      if (refusal !== undefined) throw cannotMigrate(refusal);
      mayLag = checked !== undefined;
      if (checked) await applyInBatch(db, { ...checked, found });
      else await db.transaction().execute(applyPending);
      break;
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
  if (mayLag) await untilSeen(db, clock);
  return parts;
}

/** Waits until reads find the tables, which a replica may not have yet. Gives up after a while, without an error. */
async function untilSeen(db: Kysely<Schema>, clock: Clock): Promise<void> {
  const untilMs = clock.monotonicMs() + SEEN_WITHIN_MS;
  const newest = db.selectFrom('durably_schema_versions').select('version').where('version', '=', NEWEST);
  while (clock.monotonicMs() < untilMs) {
    const rows = await newest.execute().catch(() => []);
    if (rows.length > 0) return;
    await new Promise<void>((resolve) => clock.schedule(SEEN_PAUSE_MS, resolve));
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
  if (found?.isWhole === false) throw notWhole(found);
  for (const statement of pendingStatements(found)) await execute(statement);
}

async function applyInBatch(
  db: Kysely<Schema>,
  { batch, onWriteChecked, found }: CheckedBatch & { found: FoundSchema | null },
): Promise<void> {
  let schema = found;
  for (let reads = 1; schema?.isWhole === false; reads++) {
    if (reads === MAX_SCHEMA_READS) throw notWhole(schema);
    schema = await readSchema(db, { batch, onWriteChecked }, 'now');
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
