/** What a baton stands for: a client's connection between two of its requests. */
export interface Stream {
  readonly sqls: Map<number, string>;
  /** Gives the database to the next; set while the stream has a transaction open. */
  release: (() => void) | undefined;
  transactionTimer: NodeJS.Timeout | undefined;
  idleTimer: NodeJS.Timeout | undefined;
  /** Its transaction took too long: it was rolled back, which its next statement learns. */
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
