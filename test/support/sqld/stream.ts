/** A client's connection between two of its requests, identified by a baton. */
export interface Stream {
  readonly sqls: Map<number, string>;
  /** Passes the database to the next writer. Set while the stream has a transaction open. */
  release: (() => void) | undefined;
  transactionTimer: NodeJS.Timeout | undefined;
  idleTimer: NodeJS.Timeout | undefined;
  /** Its transaction took too long and was rolled back. Its next statement gets the error. */
  isTimedOut: boolean;
}

export function newStream(): Stream {
  return {
    sqls: new Map(),
    release: undefined,
    transactionTimer: undefined,
    idleTimer: undefined,
    isTimedOut: false,
  };
}
