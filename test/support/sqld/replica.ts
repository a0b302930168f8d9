import { HranaDatabase } from './database.ts';
import { isBoundary } from './nature.ts';
import type { StatementResult } from './protocol.ts';

/** The database as it was at one moment. */
class Snapshot extends HranaDatabase {
  constructor(file: string) {
    super(file);
    this.renew();
  }

  /** Goes on to the present state. */
  renew(): void {
    this.rollback();
    this.sequence('begin');
    // A transaction sees the state at its first read.
    super.execute({ sql: 'select count(*) from sqlite_master' }, new Map());
  }

  /** The snapshot is a transaction, so those of a batch have nothing to do. */
  override execute(...given: Parameters<HranaDatabase['execute']>): StatementResult {
    const [statement, sqls] = given;
    const sql = statement.sql ?? sqls.get(statement.sql_id ?? -1) ?? '';
    if (isBoundary(sql)) return { cols: [], rows: [], affected_row_count: 0, last_insert_rowid: null };
    return super.execute(...given);
  }
}

/** A read replica that is a number of commits behind its primary. */
export class Replica {
  readonly #file: string;
  /** The oldest first; one more than the replica is behind. */
  readonly #snapshots: Snapshot[] = [];
  #lag: number;

  constructor(file: string, { lag }: { readonly lag: number }) {
    this.#file = file;
    this.#lag = lag;
    this.#snapshots.push(new Snapshot(file));
  }

  /** The state that reads are answered from. */
  get database(): HranaDatabase {
    const [oldest] = this.#snapshots;
    if (oldest === undefined) throw new Error('the replica was closed');
    return oldest;
  }

  noteCommit(): void {
    if (this.#snapshots.length <= this.#lag) {
      this.#snapshots.push(new Snapshot(this.#file));
      return;
    }
    const oldest = this.#snapshots.shift();
    oldest?.renew();
    if (oldest !== undefined) this.#snapshots.push(oldest);
  }

  /** Reaches its primary, for as long as nothing is committed. */
  catchUp(): void {
    for (const snapshot of this.#snapshots) snapshot.renew();
  }

  close(): void {
    for (const snapshot of this.#snapshots.splice(0)) {
      snapshot.rollback();
      snapshot.close();
    }
  }
}
