import type { Sql } from '../../writes.ts';

/** SQL that reads, with its row type; parameters are texts and whole numbers only. Its columns are named, never by a star. */
export interface Statement<Row> extends Sql {
  /** When its caller has waited long enough, on the monotonic clock; ten seconds from each sending on unless given. */
  readonly deadlineMs?: number | undefined;
  /** Carries the row type; never set. */
  readonly '~row'?: Row;
}
