/** A client's connection. Over HTTP, a baton identifies it between two of its requests. */
export interface Stream {
  readonly sqls: Map<number, string>;
  /** Passes the database to the next stream. Set while the stream has it or waits for it. */
  release: (() => void) | undefined;
  hasTurn: boolean;
  transactionTimer: NodeJS.Timeout | undefined;
  /** Its transaction took too long and was rolled back. Its next statement gets the error. */
  isTimedOut: boolean;
}

export function newStream(): Stream {
  return {
    sqls: new Map(),
    release: undefined,
    hasTurn: false,
    transactionTimer: undefined,
    isTimedOut: false,
  };
}
