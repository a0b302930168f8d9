import { DatabaseUnavailableError, ValidationError } from '../../../core/errors/errors.ts';
import type { OwnStatement } from '../query.ts';
import type { DatabaseFault } from './database-error.ts';

/** A harmless query. If the dialect answers as durably needs, the answer is one whole number. */
export const READ_CHECK: OwnStatement = { kind: 'read', sql: 'select 1 as version', parameters: [] };

/** A write that shows whether this connection may write, and whether its answers come back. */
export const WRITE_CHECK: OwnStatement = writeCheck('version = 1');

/** A {@link WRITE_CHECK} that writes only if the condition holds. */
export function writeCheck(condition: string): OwnStatement {
  const sql = `
update durably_schema_versions set applied_at = applied_at + 1 - 2 * (applied_at % 2) where ${condition}
returning version`;
  return { kind: 'write', sql, parameters: [] };
}

type Row = Readonly<Record<string, unknown>>;

/**
 * Converts the whole numbers of a dialect's driver. `@libsql/client` with `intMode: 'bigint'` and
 * drivers with "safe integers" return bigints, which become numbers. If durably cannot read a
 * dialect's answers, the dialect is refused before anything is stored.
 */
export class DialectCheck {
  #integers: 'unknown' | 'numbers' | 'bigints' = 'unknown';
  #canWrite = false;

  get isReadChecked(): boolean {
    return this.#integers !== 'unknown';
  }

  get isWriteChecked(): boolean {
    return this.#canWrite;
  }

  /** @throws {ValidationError} if this is not the expected row. */
  noteAnswer(rows: readonly Row[]): void {
    const value = rows[0]?.version;
    if (typeof value === 'bigint' && value === 1n) this.#integers = 'bigints';
    else if (value === 1) this.#integers = 'numbers';
    else throw unusable(rows);
  }

  /** Like {@link noteAnswer}, for a {@link WRITE_CHECK}. */
  noteWritten(rows: readonly Row[]): void {
    this.noteAnswer(rows);
    this.#canWrite = true;
  }

  /** The rows with numbers in place of bigints. The same rows if the driver returns numbers. */
  readable(rows: readonly Row[]): readonly Row[] {
    const [first] = rows;
    if (first === undefined || this.#integers === 'numbers') return rows;
    if (this.#integers === 'unknown' && !Object.values(first).some((value) => typeof value === 'bigint')) {
      return rows;
    }
    this.#integers = 'bigints';
    return rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value]),
      ),
    );
  }
}

function unusable(rows: readonly Row[]): ValidationError {
  if (rows.length === 0) {
    return new ValidationError(
      'dialect answers no rows to INSERT … RETURNING and UPDATE … RETURNING: durably needs them',
    );
  }
  const given = rows[0]?.version;
  const hint = typeof given === 'string' ? " (intMode: 'string' of @libsql/client, say)" : '';
  return new ValidationError(
    `dialect must answer whole numbers as numbers or bigints, not as ${typeof given}${hint}`,
  );
}

/** The error for a start on a read-only database. Undefined if the fault means something else. */
export function readOnlyError(error: unknown, fault: DatabaseFault): DatabaseUnavailableError | undefined {
  if (fault === 'denied') {
    return new DatabaseUnavailableError(
      'The database takes no writes: the auth token may only read, or was refused',
      { cause: error },
    );
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!/^(SQLITE_(READONLY|PERM|AUTH|CANTOPEN)|BLOCKED)/.test(code)) return undefined;
  return new DatabaseUnavailableError('The database takes no writes: it may only be read', { cause: error });
}
