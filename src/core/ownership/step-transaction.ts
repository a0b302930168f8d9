import type { CallerTransaction } from '../triggers/trigger-options.ts';
import type { Append, AppendResult } from './append.ts';

/** An append of a run's owner, as it is known by. */
export type AppendId = Pick<Append, 'lease' | 'number'>;

/** A transaction in which a step's function writes, and its result is stored. */
export interface StepTransaction {
  /** For the function. Once the work is over, everything through it is refused. */
  readonly trx: CallerTransaction;
  /**
   * Appends in the transaction. `append.number` is one more than the number of what was done before in it. An append that the
   * database refuses by throwing leaves the transaction as it was.
   *
   * `refused`: the transaction is not the one that began, because somebody has ended it; or the lease is no longer held.
   */
  append(append: Append): Promise<AppendResult>;
}

/** How a transaction has ended. What the work throws is thrown instead, after the transaction was rolled back. */
export type TransactionEnd =
  | { readonly kind: 'committed' }
  /** The lease is no longer held. The work was not called. */
  | { readonly kind: 'refused' }
  /** The answer to its commit is missing: {@link TransactionStore.settleAppend} says what became of it. */
  | { readonly kind: 'unconfirmed'; readonly error: unknown }
  /** The database did not begin it, or has given it up: nothing is stored. `hasBegun`: the work was called. */
  | { readonly kind: 'lost'; readonly error: unknown; readonly hasBegun: boolean };

/** What became of an append. `refused`: the lease is no longer held, and nothing will be stored. */
export type SettledAppend = 'stored' | 'not-stored' | 'refused';

/** The writes of steps whose functions write through a transaction of the store. */
export interface TransactionStore {
  /**
   * Calls `work` in a transaction that takes the right to write first, and commits it when the work is over. It begins by renewing
   * the lease and storing its number, so that nobody else changes the run before it ends, and so that nothing is appended outside
   * of it. No other write of this store is sent meanwhile.
   *
   * While it is open, calls that would wait for it are refused with a {@link ConflictError} if they come from a step's function
   * whose scope has its `trx` ({@link StepScope}).
   */
  transact(begin: AppendId, work: (transaction: StepTransaction) => Promise<void>): Promise<TransactionEnd>;
  /** What became of an append whose answer is missing. Decided for good: it is not stored later. */
  settleAppend(append: AppendId): Promise<SettledAppend>;
}
