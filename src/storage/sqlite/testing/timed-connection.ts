import type { SqliteStatement } from 'kysely';
import { LocalConnection } from '../file/local-connection.ts';
import type { ColumnNames } from '../file/prepared-statement.ts';

/** How durably's statements, triggers and defaults of columns ask for the time. */
const NOW = "unixepoch('subsec') * 1000";
/** Ends a time in the schema, to find it again. The number before it is ms since the epoch. */
const MARK = '/* now */';
const MARKED = /\d+ \/\* now \*\//g;

interface SchemaRow {
  readonly rowid: number;
  readonly sql: string;
}

/**
 * A database in memory whose time is given. libSQL can't be given another clock, so each statement is executed with the time
 * written into it. Triggers and defaults are in the schema, which is written anew when the time has changed.
 */
export class TimedConnection extends LocalConnection {
  readonly #nowMs: () => number;
  /** The time that the schema holds. */
  #schemaMs: number;

  /** @param nowMs the time, whole ms since the epoch */
  constructor(nowMs: () => number) {
    super({ path: ':memory:', busyTimeoutMs: 0 });
    this.#nowMs = nowMs;
    this.#schemaMs = nowMs();
  }

  override prepare(sql: string, columnNames?: ColumnNames): SqliteStatement {
    this.#tellTime();
    return super.prepare(this.#timed(sql), columnNames);
  }

  override inTransaction<T>(execute: () => T): T {
    this.#tellTime();
    return super.inTransaction(execute);
  }

  #timed(sql: string): string {
    return sql.replaceAll(NOW, `${this.#nowMs()} ${MARK}`);
  }

  /** A transaction keeps the time of its begin: if it were rolled back, the schema would be, too. */
  #tellTime(): void {
    const nowMs = this.#nowMs();
    if (nowMs === this.#schemaMs || this.isInTransaction) return;
    const timed = super.prepare(`select rowid, sql from sqlite_schema where instr(sql, '${MARK}')`).all([]);
    if (timed.length > 0) {
      this.#execute('pragma writable_schema = 1');
      for (const { rowid, sql } of timed as SchemaRow[]) {
        const current = sql.replaceAll(MARKED, `${nowMs} ${MARK}`);
        super.prepare('update sqlite_schema set sql = ?1 where rowid = ?2').run([current, rowid]);
      }
      const [row] = super.prepare('pragma schema_version').all([]);
      const { schema_version: version } = row as { readonly schema_version: number };
      // Makes SQLite read it again.
      this.#execute(`pragma schema_version = ${version + 1}`);
      this.#execute('pragma writable_schema = 0');
    }
    this.#schemaMs = nowMs;
  }

  #execute(sql: string): void {
    super.prepare(sql).all([]);
  }
}
