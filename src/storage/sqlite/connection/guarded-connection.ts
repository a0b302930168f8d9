import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely';

/** A statement's way to the database: when to stop trying, on the monotonic clock, and whether it ends in a commit. */
export interface Passage {
  readonly deadlineMs: number;
  readonly commits: boolean;
}

/** What keeps a connection from being used wrongly. */
export interface Guard {
  passageOf(query: CompiledQuery): Passage;
  retryWhileBusy<T>(execute: () => Promise<T>, passage: Passage, connection?: GuardedConnection): Promise<T>;
  attempt<T>(execute: () => Promise<T>): Promise<T>;
}

/**
 * Holds one of the driver's connections only while a statement is tried, and
 * from its success on: many drivers have but one, and others would wait for it
 * as long as a statement waits for a lock.
 */
export class GuardedConnection implements DatabaseConnection {
  readonly #innerDriver: Driver;
  readonly #guard: Guard;
  #inner: DatabaseConnection | undefined;
  inTransaction = false;

  constructor(innerDriver: Driver, guard: Guard) {
    this.#innerDriver = innerDriver;
    this.#guard = guard;
  }

  get inner(): DatabaseConnection {
    if (this.#inner === undefined) throw new TypeError('no statement was executed on this connection');
    return this.#inner;
  }

  /** Whether a statement was executed on it, since when it is whoever's who asked for it. */
  get isHeld(): boolean {
    return this.#inner !== undefined;
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
    const execute = () => this.inner.executeQuery<R>(query);
    // Inside a transaction a renewed connection has lost what came before: only its beginner can start over.
    if (this.inTransaction) return this.#guard.attempt(execute);
    return this.#guard.retryWhileBusy(execute, this.#guard.passageOf(query), this);
  }

  async *streamQuery<R>(query: CompiledQuery, chunkSize?: number) {
    await this.acquire();
    yield* this.inner.streamQuery<R>(query, chunkSize ?? 100);
  }
}

export function asGuarded(connection: DatabaseConnection): GuardedConnection {
  if (!(connection instanceof GuardedConnection)) throw new TypeError('not a connection of this driver');
  return connection;
}

/** Coded as the client codes it. */
export class TransactionOpenError extends Error {
  readonly code = 'TRANSACTION_ACTIVE';

  constructor() {
    super('a transaction of this process is open');
  }
}
