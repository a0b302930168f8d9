import { DatabaseUnavailableError, ValidationError } from '../../../core/errors/errors.ts';
import type { OwnStatement } from '../query.ts';
import type { DatabaseFault } from './database-error.ts';

/** Harmless, and answered by one whole number, if this dialect answers as durably needs it. */
export const READ_CHECK: OwnStatement = { kind: 'read', sql: 'select 1 as version', parameters: [] };

/** A write that says whether this connection may write at all, and whether its answers come back. */
export const WRITE_CHECK: OwnStatement = writeCheck('version = 1');

/** A {@link WRITE_CHECK} that writes on that condition. */
export function writeCheck(condition: string): OwnStatement {
  const sql = `
update durably_schema_versions set applied_at = applied_at + 1 - 2 * (applied_at % 2) where ${condition}
returning version`;
  return { kind: 'write', sql, parameters: [] };
}

type Row = Readonly<Record<string, unknown>>;

/**
 * Knows how a dialect's driver hands over whole numbers. `@libsql/client` with
 * `intMode: 'bigint'` and drivers with "safe integers" have bigints, which are
 * made numbers here. Whatever else a dialect answers that durably can't read is
 * refused before anything is stored through it.
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

  /** @throws {ValidationError} if this isn't the row that was asked for. */
  noteAnswer(rows: readonly Row[]): void {
    const value = rows[0]?.version;
    if (typeof value === 'bigint' && value === 1n) this.#integers = 'bigints';
    else if (value === 1) this.#integers = 'numbers';
    else throw unusable(rows);
  }

  /** As {@link noteAnswer}, of {@link WRITE_CHECK}. */
  noteWritten(rows: readonly Row[]): void {
    this.noteAnswer(rows);
    this.#canWrite = true;
  }

  /** The rows with numbers for bigints; the same where the driver has numbers anyway. */
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

/** What to tell whoever starts on a database that can only be read; undefined if the fault says nothing of that. */
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
