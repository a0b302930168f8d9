/** SQL with its row type; parameters are texts and whole numbers only. */
export interface Statement<Row> {
  readonly sql: string;
  readonly parameters: readonly (string | number)[];
  /** What to ask instead of sending the statement again, for one that must not be executed twice. */
  readonly ifAnswerLost?: { readonly sql: string; readonly parameters: readonly (string | number)[] };
  /** When its caller has waited long enough, on the monotonic clock; ten seconds from each sending on unless given. */
  readonly deadlineMs?: number | undefined;
  /** Called at each sending. */
  readonly onSend?: () => void;
  /** Carries the row type; never set. */
  readonly '~row'?: Row;
}
