import type { OwnStatement } from '../query.ts';

/** SQL with its row type; parameters are texts and whole numbers only. Its columns are named, never by a star. */
export interface Statement<Row> extends OwnStatement {
  /** What to ask instead of sending the statement again, for one that must not be executed twice. */
  readonly ifAnswerLost?: OwnStatement;
  /** When its caller has waited long enough, on the monotonic clock; ten seconds from each sending on unless given. */
  readonly deadlineMs?: number | undefined;
  /** Called at each sending. */
  readonly onSend?: () => void;
  /** Carries the row type; never set. */
  readonly '~row'?: Row;
}
