import type { CompiledQuery } from 'kysely';

const callbacks = new WeakMap<CompiledQuery, AfterCommit>();

/** What follows a statement in a caller's transaction. */
interface AfterCommit {
  /** Called when the transaction was committed. */
  readonly onCommit: () => void;
  /** Called when the statement was executed in a transaction of durably's own Kysely instance. */
  readonly onSeen: () => void;
}

/** Calls back when the transaction in which the query is executed is committed, and never if it is rolled back. */
export function afterCommit(query: CompiledQuery, callback: AfterCommit): CompiledQuery {
  callbacks.set(query, callback);
  return query;
}

export function afterCommitOf(query: CompiledQuery): AfterCommit | undefined {
  return callbacks.get(query);
}
