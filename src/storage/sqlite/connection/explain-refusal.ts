import type { Kysely } from 'kysely';
import { DatabaseUnavailableError } from '../../../core/errors/errors.ts';
import type { Schema } from '../schema.ts';
import type { Closing } from './closing.ts';
import { classifyDatabaseError, isRefusedByDriver } from './database-error.ts';

interface RefusalContext {
  readonly db: Kysely<Schema>;
  readonly closing: Closing;
  readonly isRemote: boolean;
}

/**
 * The error of a refused statement, or one that says that the database is not migrated, if that is why.
 *
 * @throws {DatabaseClosedError} if the connection turns out to be closed.
 */
export async function explainRefusal(
  error: unknown,
  { db, closing, isRemote }: RefusalContext,
): Promise<unknown> {
  const tables = await db
    .selectFrom('sqlite_master')
    .select('name')
    .where('name', '=', 'durably_schema_versions')
    .execute()
    .catch((refusal: unknown) => {
      if (closing.error) throw closing.error;
      // If even this read fails, it is unknown whether the database is migrated.
      const isRefused =
        classifyDatabaseError(refusal, isRemote) === 'statement' && isRefusedByDriver(refusal);
      if (isRefused) throw closing.close(refusal);
      return undefined;
    });
  if (tables === undefined || tables.length > 0) return error;
  return new DatabaseUnavailableError('The database is not migrated: call init() or migrate() first', {
    cause: error,
  });
}
