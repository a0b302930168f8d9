import type { Sql } from '../../writes.ts';

/**
 * SQL that reads, with the type of its rows. Its parameters are texts and whole numbers. It names
 * each column and uses no `*`.
 */
export interface Statement<Row> extends Sql {
  /** When the caller stops waiting, on the monotonic clock. Default: ten seconds after each sending. */
  readonly deadlineMs?: number | undefined;
  /** Carries the row type; never set. */
  readonly '~row'?: Row;
}
