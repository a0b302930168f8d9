import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from 'kysely';
import { DatabaseUnavailableError } from '../../../../core/errors/errors.ts';
import type { AbortableConnection } from '../../adapter.ts';
import { afterCommitOf, type OpenTransaction } from './after-commit.ts';
import type { Attempts, Execute } from './attempts.ts';

/** How a statement is executed: until when it is tried, on the monotonic clock, and whether it commits. */
export interface Passage {
  readonly deadlineMs: number;
  readonly commits: boolean;
}

/** Protects a connection from wrong use. */
export interface StatementGuard {
  passageOf(query: CompiledQuery): Passage;
  retryWhileBusy<T>(execute: Execute<T>, passage: Passage, connection?: GuardedConnection): Promise<T>;
  /** Executes the first statement of a transaction, and begins again while the database is busy. */
  retryFirst<T>(execute: () => Promise<T>, passage: Passage, begin: () => Promise<void>): Promise<T>;
  /** Whether another connection holds the lock. */
  isBusy(error: unknown): boolean;
  /** Executes once. After BUSY, the connection is renewed before anything else is executed. */
  readonly attempts: Pick<Attempts, 'make'>;
  /** Whether an error ends the transaction in which it occurs. */
  endsTransaction(error: unknown): boolean;
}

/**
 * Holds one of the driver's connections while a statement is tried, and after the statement
 * succeeded. It releases the connection while a statement waits for a lock, because many drivers
 * have only one.
 */
export class GuardedConnection implements DatabaseConnection, OpenTransaction {
  readonly #innerDriver: Driver;
  readonly #guard: StatementGuard;
  #inner: DatabaseConnection | undefined;
  #transaction: { readonly settings: TransactionSettings; hasExecuted: boolean; loss?: unknown } | undefined;
  /** What to call when its transaction is committed. */
  #onCommit: (() => void)[] = [];
  #fault: unknown;
  #isClosed = false;

  constructor(innerDriver: Driver, guard: StatementGuard) {
    this.#innerDriver = innerDriver;
    this.#guard = guard;
  }

  get inner(): DatabaseConnection {
    if (this.#inner === undefined) throw new TypeError('no statement was executed on this connection');
    return this.#inner;
  }

  /** Whether a statement was executed on it. From then on the connection belongs to its caller. */
  get isHeld(): boolean {
    return this.#inner !== undefined;
  }

  get fault(): unknown {
    return this.#fault;
  }

  close(): void {
    this.#isClosed = true;
  }

  async acquire(): Promise<void> {
    this.#inner ??= await this.#innerDriver.acquireConnection();
  }

  async release(): Promise<void> {
    const inner = this.#inner;
    this.#inner = undefined;
    if (inner !== undefined) await this.#innerDriver.releaseConnection(inner);
  }

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#isClosed) return Promise.reject(new TransactionOverError());
    const execute = (signal?: AbortSignal) =>
      (this.inner as AbortableConnection).executeQuery<R>(query, signal);
    if (this.inTransaction) return this.#executeInTransaction(query, () => execute());
    return this.#guard.retryWhileBusy(execute, this.#guard.passageOf(query), this);
  }

  async #executeInTransaction<R>(query: CompiledQuery, execute: () => Promise<R>): Promise<R> {
    this.checkTransaction();
    const after = afterCommitOf(query);
    after?.onReached?.();
    try {
      const result = await this.#tryInTransaction(query, execute, after?.takesLock);
      if (after !== undefined) {
        after.onSeen?.(this);
        this.#onCommit.push(after.onCommit);
      }
      return result;
    } catch (error) {
      if (this.#guard.endsTransaction(error)) this.#fault ??= error;
      throw error;
    }
  }

  async #tryInTransaction<R>(
    query: CompiledQuery,
    execute: () => Promise<R>,
    takesLock?: boolean,
  ): Promise<R> {
    const transaction = this.#transaction;
    const guard = this.#guard;
    if (transaction === undefined) return await guard.attempts.make(execute, { takesLock });
    const { hasExecuted, settings } = transaction;
    transaction.hasExecuted = true;
    if (!hasExecuted) {
      const begin = () => this.#innerDriver.beginTransaction(this.inner, settings);
      const first = () => guard.attempts.make(execute, { takesLock });
      return await guard.retryFirst(first, guard.passageOf(query), begin);
    }
    return await guard.attempts.make(execute, { takesLock }).catch((error: unknown) => {
      if (!guard.isBusy(error)) throw error;
      // A renewed connection has lost the transaction's earlier statements, so only the caller can start over.
      transaction.loss = new TransactionBusyError(error);
      throw transaction.loss;
    });
  }

  get inTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  /** A transaction has begun. */
  noteTransaction(settings: TransactionSettings): void {
    this.#transaction = { settings, hasExecuted: false };
  }

  /** @throws {DatabaseUnavailableError} if its transaction has lost statements. */
  checkTransaction(): void {
    if (this.#transaction?.loss !== undefined) throw this.#transaction.loss;
  }

  /** Its transaction is over. */
  endTransaction(how: 'committed' | 'rolled back'): void {
    const callbacks = this.#onCommit;
    this.#transaction = undefined;
    this.#onCommit = [];
    if (how === 'committed') for (const callback of callbacks) callback();
  }

  async *streamQuery<R>(query: CompiledQuery, chunkSize?: number) {
    if (this.#isClosed) throw new TransactionOverError();
    await this.acquire();
    yield* this.inner.streamQuery<R>(query, chunkSize ?? 100);
  }
}

/** The connection as one of ours. @throws {TypeError} if another driver made it */
export function asGuarded(connection: DatabaseConnection): GuardedConnection {
  if (!(connection instanceof GuardedConnection)) throw new TypeError('not a connection of this driver');
  return connection;
}

/** A function goes on though its transaction is over. */
class TransactionOverError extends Error {
  constructor() {
    super('the transaction is over');
  }
}

/** A transaction began with a read, and another connection wrote before its first write. */
class TransactionBusyError extends DatabaseUnavailableError {
  constructor(cause: unknown) {
    super(
      'The database is busy, and a transaction that has begun can not wait for it: begin it again, and write before it reads',
      {
        cause,
      },
    );
  }
}

/** Has the same code as the error of `@libsql/client`. */
export class TransactionOpenError extends Error {
  readonly code = 'TRANSACTION_ACTIVE';

  constructor() {
    super('a transaction of this process is open');
  }
}
