import type { CompiledQuery } from 'kysely';

const callbacks = new WeakMap<CompiledQuery, AfterCommit>();

/** A transaction on one of durably's connections. */
export interface OpenTransaction {
  /** The error with which the database has given it up. Undefined while it can be committed. */
  readonly fault: unknown;
  /** Refuses everything but its commit and its rollback from now on. */
  close(): void;
}

/** What follows a statement in a caller's transaction. All of it is called by durably's own Kysely instances alone. */
interface AfterCommit {
  /** Called when the transaction was committed. */
  readonly onCommit: () => void;
  /** Called before the statement is executed. Kysely refuses one in a transaction that is over. */
  readonly onReached?: () => void;
  /** Called when the statement was executed. */
  readonly onSeen?: (transaction: OpenTransaction) => void;
  /** Whether it waits for the right to write, which may take a server long. */
  readonly takesLock?: boolean;
}

/** Calls back when the transaction in which the query is executed is committed, and never if it is rolled back. */
export function afterCommit(query: CompiledQuery, callback: AfterCommit): CompiledQuery {
  callbacks.set(query, callback);
  return query;
}

export function afterCommitOf(query: CompiledQuery): AfterCommit | undefined {
  return callbacks.get(query);
}
