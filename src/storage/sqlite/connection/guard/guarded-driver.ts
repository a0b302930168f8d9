import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from 'kysely';
import { CALLER_BUDGET_MS } from '../../../../core/call.ts';
import { type PauseBounds, pauseBeforeRetry } from '../../../../core/retries/retry-pause.ts';
import type { Clock } from '../../../../core/time/clock.ts';
import { Deadlines, TimeUpError } from '../../../deadlines.ts';
import type { Adapter, Batch } from '../../adapter.ts';
import { kindOf } from '../../query.ts';
import { Closing } from '../closing.ts';
import { classifyDatabaseError } from '../database-error.ts';
import { adapterOf } from '../libsql-client.ts';
import { Line } from '../line.ts';
import { deadlineOf } from '../query-deadline.ts';
import { Attempts, type Execute } from './attempts.ts';
import {
  asGuarded,
  GuardedConnection,
  type Passage,
  type StatementGuard,
  TransactionOpenError,
} from './guarded-connection.ts';

/** Further reads wait, because many at once slow a server down and fill its limit for answers. */
const MAX_REMOTE_READS = 4;
/** The pauses between the tries of a statement while the database is busy. */
const BUSY_PAUSE: PauseBounds = { firstMs: 4, maxMs: 100 };

export interface GuardOptions {
  readonly clock: Clock;
  /** Renews the dialect's connection if its driver cannot. */
  readonly reconnect?: (() => void | Promise<void>) | undefined;
  /** Notified when the driver is destroyed, or is found to be closed by its owner. */
  readonly closing?: Closing | undefined;
  /** Called when the connection is renewed. */
  readonly onRenewal?: (() => void) | undefined;
}

interface RetryOptions {
  readonly connection?: GuardedConnection | undefined;
  readonly onGivenUp?: (gone: Promise<unknown>) => void;
}

/** The driver of a {@link GuardedDialect}. */
export class GuardedDriver implements Driver, StatementGuard {
  readonly #inner: Driver;
  readonly #clock: Clock;
  /** Whether it talks to a database over a network. */
  readonly isRemote: boolean;
  /** Executes statements in one request and one transaction. Undefined if the driver cannot. */
  readonly batch: Batch | undefined;
  readonly #closing: Closing;
  readonly #adapter: Adapter;
  readonly attempts: Attempts;
  #openTransactions = 0;
  /** The error for a caller that would keep an open transaction from ending by waiting for it. */
  refusal: (() => unknown) | undefined;
  /** Reads have a line of their own, because in WAL mode they need not wait for a write that meets a lock. */
  readonly #reads: Line;
  readonly #writes: Line;

  constructor(inner: Driver, { clock, reconnect, closing = new Closing(), onRenewal }: GuardOptions) {
    this.#inner = inner;
    this.#clock = clock;
    this.#closing = closing;
    const adapter = adapterOf(inner);
    this.#adapter = adapter;
    this.isRemote = adapter.isRemote;
    const { batch } = adapter;
    this.batch = batch && ((statements, options) => this.#executeBatch(batch, statements, options));
    this.attempts = new Attempts({ adapter, clock, closing, reconnect, onRenewal });
    const waiting = new Deadlines(clock);
    this.#reads = new Line(waiting, adapter.isRemote ? MAX_REMOTE_READS : 1);
    this.#writes = new Line(waiting);
  }

  /** Puts a local file into WAL mode. If others keep it locked, its mode does not change. */
  async tune(): Promise<void> {
    const { useWal } = this.#adapter;
    if (useWal === undefined) return;
    const passage = { deadlineMs: this.#clock.monotonicMs() + CALLER_BUDGET_MS, commits: true };
    await this.retryWhileBusy(async () => useWal(), passage).catch((error: unknown) => {
      if (!(error instanceof TimeUpError)) throw error;
    });
  }

  /** Whether Kysely has initialized it, and not destroyed it. */
  isReady = false;
  async init() {
    await this.#inner.init();
    await this.#adapter.check?.();
    this.isReady = true;
  }

  /** @throws {DatabaseUnavailableError} if it was destroyed, or closed by its owner. */
  checkOpen(): void {
    if (this.#closing.error) throw this.#closing.error;
    if (this.#adapter.isClosed?.() === true) throw this.#closing.close();
  }

  /** Executes all in one transaction, and tries again while the database is busy. @throws {TimeUpError} */
  async #executeBatch(
    batch: Batch,
    statements: Parameters<Batch>[0],
    { deadlineMs = this.#clock.monotonicMs() + CALLER_BUDGET_MS }: Parameters<Batch>[1] = {},
  ): Promise<readonly unknown[]> {
    const execute = () => batch(statements);
    const passage = { deadlineMs, commits: true };
    if (!this.isRemote) return await this.retryWhileBusy(execute, passage);
    return await this.#inLine({ ...passage, deadlineMs: Number.POSITIVE_INFINITY }, (onGivenUp) =>
      this.attempts.make(execute, { commits: true, onGivenUp }),
    );
  }

  /** Executes without Kysely, which takes as long as a short statement itself. Only while {@link isReady}. */
  readonly execute = async (query: CompiledQuery): Promise<QueryResult<unknown>> => {
    const connection = new GuardedConnection(this.#inner, this);
    try {
      return await connection.executeQuery(query);
    } finally {
      if (connection.isHeld) await connection.release();
    }
  };

  async acquireConnection(): Promise<DatabaseConnection> {
    return new GuardedConnection(this.#inner, this);
  }

  passageOf(query: CompiledQuery): Passage {
    return { deadlineMs: deadlineOf(query, this.#clock), commits: kindOf(query) === 'write' };
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings) {
    const guarded = asGuarded(connection);
    const passage = { deadlineMs: this.#clock.monotonicMs() + CALLER_BUDGET_MS, commits: true };
    await this.retryWhileBusy(() => this.#inner.beginTransaction(guarded.inner, settings), passage, guarded);
    guarded.noteTransaction(settings);
    this.#openTransactions++;
  }

  async commitTransaction(connection: DatabaseConnection) {
    const guarded = asGuarded(connection);
    guarded.checkTransaction();
    await this.attempts.make(() => this.#inner.commitTransaction(guarded.inner), { commits: true });
    this.#endTransaction(guarded, 'committed');
  }

  async rollbackTransaction(connection: DatabaseConnection) {
    const guarded = asGuarded(connection);
    this.#endTransaction(guarded, 'rolled back');
    // A renewed connection has no transaction to roll back, and the original error matters more than a
    // failed rollback.
    await this.attempts.make(() => this.#inner.rollbackTransaction(guarded.inner)).catch(() => undefined);
  }

  #endTransaction(connection: GuardedConnection, how: 'committed' | 'rolled back'): void {
    if (!connection.inTransaction) return;
    this.#openTransactions--;
    connection.endTransaction(how);
  }

  releaseConnection(connection: DatabaseConnection) {
    return asGuarded(connection).release();
  }

  async destroy() {
    this.isReady = false;
    this.#closing.close();
    await this.#inner.destroy();
  }

  /** A faulty statement leaves its transaction as it was. */
  endsTransaction(error: unknown): boolean {
    return classifyDatabaseError(error, this.isRemote) !== 'statement';
  }

  isBusy(error: unknown): boolean {
    return classifyDatabaseError(error, this.isRemote) === 'busy';
  }

  async retryFirst<T>(
    execute: () => Promise<T>,
    { deadlineMs }: Passage,
    begin: () => Promise<void>,
  ): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        return await execute();
      } catch (error) {
        if (!this.isBusy(error)) throw error;
        if (this.#clock.monotonicMs() >= deadlineMs) throw new TimeUpError(error);
      }
      await pauseBeforeRetry(this.#clock, tries, BUSY_PAUSE);
      // The renewed connection has no transaction.
      await this.attempts.make(begin);
    }
  }

  /** Executes, and tries again while the database is busy. @throws {TimeUpError} */
  async retryWhileBusy<T>(execute: Execute<T>, passage: Passage, connection?: GuardedConnection): Promise<T> {
    // The holder of the only connection must not queue behind those that wait for it.
    if (connection?.isHeld) return await this.#retry(execute, passage);
    // Over a network reads don't wait.
    const refusal = passage.commits || !this.isRemote ? this.refusal?.() : undefined;
    if (refusal !== undefined) throw refusal;
    return await this.#inLine(passage, (onGivenUp) =>
      this.#retry(execute, passage, { connection, onGivenUp }),
    );
  }

  /**
   * Lets one write and one read in at a time, or a few reads over a network. A request that was given up keeps its place
   * until it is gone, so that a server that hangs has no more of them.
   */
  async #inLine<T>(
    { deadlineMs, commits }: Passage,
    execute: (onGivenUp: (gone: Promise<unknown>) => void) => Promise<T>,
  ): Promise<T> {
    const line = commits ? this.#writes : this.#reads;
    const entering = line.enter(deadlineMs);
    if (entering !== undefined) await entering;
    let gone: Promise<unknown> | undefined;
    try {
      return await execute((promise) => {
        gone = promise;
      });
    } finally {
      if (gone === undefined) line.leave();
      else void gone.catch(() => undefined).finally(() => line.leave());
    }
  }

  async #retry<T>(
    execute: Execute<T>,
    { deadlineMs, commits }: Passage,
    { connection, onGivenUp }: RetryOptions = {},
  ): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        if (connection?.isHeld === false) await connection.acquire();
        return await this.attempts.make(
          (signal) => {
            // Beside an open transaction the statement would be refused, and renewing the connection would
            // end the transaction.
            if (this.#openTransactions > 0 && !this.isRemote) throw new TransactionOpenError();
            return execute(signal);
          },
          { commits, deadlineMs, onGivenUp },
        );
      } catch (error) {
        const fault = classifyDatabaseError(error, this.isRemote);
        if (fault !== 'busy' && fault !== 'blocked') throw error;
        if (this.#clock.monotonicMs() >= deadlineMs) throw new TimeUpError(error);
        await connection?.release();
      }
      await pauseBeforeRetry(this.#clock, tries, BUSY_PAUSE);
    }
  }
}
