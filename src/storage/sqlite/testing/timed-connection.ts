import type { SqliteStatement } from 'kysely';
import { LocalConnection } from '../file/local-connection.ts';
import type { ColumnNames } from '../file/prepared-statement.ts';

/** How durably's statements, triggers and defaults of columns ask for the time. */
const NOW = "unixepoch('subsec') * 1000";
const TOLD = '(select ms from told_time)';
/** A default can't look it up. The comment finds the number again, which is ms since the epoch. */
const DEFAULT = `default (cast(${NOW} as integer))`;
const MARK = '/* told time */';
const MARKED = /\d+ \/\* told time \*\//g;
/** Statements that use the defaults. Those of a run's owner do only if they start another run. */
const USES_DEFAULTS = /\binsert into durably_(?!appends|all_appends|endings)/;

interface SchemaRow {
  readonly rowid: number;
  readonly sql: string;
}

/**
 * A database in memory that is told the time, because libSQL can't be given another clock. Where statements and triggers ask for
 * the time, they get that of a table. Defaults of columns are in the schema, which is written anew before they are used:
 * that takes some ms, so it is not done for each statement.
 */
export class TimedConnection extends LocalConnection {
  readonly #nowMs: () => number;
  #toldMs: number | undefined;
  #defaultMs: number;
  /** Whether the open transaction is one of statements that leave together. */
  #isTogether = false;
  #statements = 0;

  /** @param nowMs the time, whole ms since the epoch */
  constructor(nowMs: () => number) {
    super({ path: ':memory:', busyTimeoutMs: 0 });
    this.#nowMs = nowMs;
    this.#defaultMs = nowMs();
    super.prepare('create table told_time (ms integer not null) strict').run([]);
    super.prepare('insert into told_time values (0)').run([]);
  }

  /** How many statements were executed. */
  get statements(): number {
    return this.#statements;
  }

  override prepare(sql: string, columnNames?: ColumnNames): SqliteStatement {
    this.#statements++;
    this.#tellTime();
    if (USES_DEFAULTS.test(sql)) this.tellDefaults();
    return super.prepare(this.#timed(sql), columnNames);
  }

  override inTransaction<T>(execute: () => T): T {
    this.#tellTime();
    this.#isTogether = true;
    try {
      return super.inTransaction(execute);
    } catch (error) {
      // The schema is what it was before.
      this.#defaultMs = Number.NaN;
      throw error;
    } finally {
      this.#isTogether = false;
    }
  }

  #timed(sql: string): string {
    return sql.replaceAll(DEFAULT, `default (${this.#nowMs()} ${MARK})`).replaceAll(NOW, TOLD);
  }

  /** A transaction keeps the time of its begin: if it were rolled back, the table would be, too. */
  #tellTime(): void {
    const nowMs = this.#nowMs();
    if (nowMs === this.#toldMs || this.isInTransaction) return;
    super.prepare('update told_time set ms = ?1').run([nowMs]);
    this.#toldMs = nowMs;
  }

  /** The next statement may use defaults. */
  tellDefaults(): void {
    const nowMs = this.#nowMs();
    if (nowMs === this.#defaultMs || (this.isInTransaction && !this.#isTogether)) return;
    const tables = super.prepare(`select rowid, sql from sqlite_schema where instr(sql, '${MARK}')`).all([]);
    if (tables.length > 0) {
      this.#execute('pragma writable_schema = 1');
      for (const { rowid, sql } of tables as SchemaRow[]) {
        const current = sql.replaceAll(MARKED, `${nowMs} ${MARK}`);
        super.prepare('update sqlite_schema set sql = ?1 where rowid = ?2').run([current, rowid]);
      }
      const [row] = super.prepare('pragma schema_version').all([]);
      const { schema_version: version } = row as { readonly schema_version: number };
      // Makes SQLite read it again.
      this.#execute(`pragma schema_version = ${version + 1}`);
      this.#execute('pragma writable_schema = 0');
    }
    this.#defaultMs = nowMs;
  }

  #execute(sql: string): void {
    super.prepare(sql).all([]);
  }
}
