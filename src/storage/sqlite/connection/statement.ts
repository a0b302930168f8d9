import type { Sql } from '../../writes.ts';

/**
 * SQL that reads, with the type of its rows. Its parameters are texts and whole numbers. It names
 * each column and uses no `*`.
 */
export interface Statement<Row> extends Sql {
  /** Until when the caller waits, on the monotonic clock. Ten seconds from each sending unless given. */
  readonly deadlineMs?: number | undefined;
  /** Carries the row type; never set. */
  readonly '~row'?: Row;
}
