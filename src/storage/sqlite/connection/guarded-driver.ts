import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from 'kysely';
import { type Clock, defer } from '../../../core/clock.ts';
import type { DatabaseUnavailableError } from '../../../core/errors/errors.ts';
import { CALLER_BUDGET_MS } from '../../../core/store.ts';
import { Deadlines, TimeUpError } from '../../deadlines.ts';
import type { Adapter, Batch } from '../adapter.ts';
import { kindOf } from '../query.ts';
import { Closing } from './closing.ts';
import { classifyDatabaseError, isClosedError } from './database-error.ts';
import {
  asGuarded,
  type Guard,
  GuardedConnection,
  type Passage,
  TransactionOpenError,
} from './guarded-connection.ts';
import { inTime } from './in-time.ts';
import { adapterOf } from './libsql-client.ts';
import { Line } from './line.ts';
import { deadlineOf } from './query-deadline.ts';
import { Renewal } from './renewal.ts';
import { Turns } from './turns.ts';

/** If a remote database has not answered a read by then, the request or its answer is taken for lost. */
const READ_WITHIN_MS = 5_000;
/**
 * The same for a write. A server that gives its lock to somebody else answers after five
 * to ten seconds, and a write that is cut off can harm its queue.
 */
const WRITE_WITHIN_MS = 15_000;
/** Reads beyond these wait: many at once slow a server down, and fill what its answers may hold. */
const MAX_REMOTE_READS = 4;
const MAX_BUSY_PAUSE_MS = 100;

export interface GuardOptions {
  readonly clock: Clock;
  /** Renews the dialect's connection, where its driver has no client that can. */
  readonly reconnect?: (() => void | Promise<void>) | undefined;
  /** Told when the driver is destroyed, or found closed by its owner. */
  readonly closing?: Closing | undefined;
}

/** The driver of a {@link GuardedDialect}. */
export class GuardedDriver implements Driver, Guard {
  readonly #inner: Driver;
  readonly #clock: Clock;
  readonly isRemote: boolean;
  readonly batch: Batch | undefined;
  readonly #closing: Closing;
  readonly #adapter: Adapter;
  readonly #renewal: Renewal;
  readonly #turns = new Turns();
  #openTransactions = 0;
  /** Reads don't wait for a write that meets a lock: in WAL mode they need none. */
  readonly #reads: Line;
  readonly #writes: Line;

  constructor(inner: Driver, { clock, reconnect, closing = new Closing() }: GuardOptions) {
    this.#inner = inner;
    this.#clock = clock;
    this.#closing = closing;
    const adapter = adapterOf(inner);
    this.#adapter = adapter;
    this.isRemote = adapter.isRemote;
    const { batch } = adapter;
    this.batch = batch && ((statements, options) => this.#executeBatch(batch, statements, options));
    const renew = reconnect ?? adapter.renew;
    const renewInTime =
      renew && (() => inTime((async () => renew())(), { withinMs: READ_WITHIN_MS, clock, closing }));
    this.#renewal = new Renewal(renewInTime, adapter);
    const waiting = new Deadlines(clock);
    this.#reads = new Line(waiting, adapter.isRemote ? MAX_REMOTE_READS : 1);
    this.#writes = new Line(waiting);
  }

  /** If others keep the file locked, it stays in its present mode. */
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

  /** All in one transaction, retrying while the database is busy. @throws {TimeUpError} */
  async #executeBatch(
    batch: Batch,
    statements: Parameters<Batch>[0],
    { deadlineMs = this.#clock.monotonicMs() + CALLER_BUDGET_MS }: Parameters<Batch>[1] = {},
  ): Promise<readonly unknown[]> {
    const execute = () => batch(statements);
    const passage = { deadlineMs, commits: true };
    if (!this.isRemote) return await this.retryWhileBusy(execute, passage);
    return await this.#inLine({ ...passage, deadlineMs: Number.POSITIVE_INFINITY }, () =>
      this.attempt(execute, passage),
    );
  }

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
    guarded.inTransaction = true;
    this.#openTransactions++;
  }

  async commitTransaction(connection: DatabaseConnection) {
    const guarded = asGuarded(connection);
    await this.attempt(() => this.#inner.commitTransaction(guarded.inner), { commits: true });
    this.#endTransaction(guarded);
  }

  async rollbackTransaction(connection: DatabaseConnection) {
    const guarded = asGuarded(connection);
    this.#endTransaction(guarded);
    // A renewed connection has no transaction left to roll back, and the error that
    // led here matters more than the failure of the rollback.
    await this.attempt(() => this.#inner.rollbackTransaction(guarded.inner)).catch(() => undefined);
  }

  #endTransaction(connection: GuardedConnection): void {
    if (!connection.inTransaction) return;
    connection.inTransaction = false;
    this.#openTransactions--;
  }

  releaseConnection(connection: DatabaseConnection) {
    return asGuarded(connection).release();
  }

  async destroy() {
    this.isReady = false;
    this.#closing.close();
    await this.#inner.destroy();
  }

  /** Executes, retrying while the database is busy. @throws {TimeUpError} */
  async retryWhileBusy<T>(
    execute: () => Promise<T>,
    passage: Passage,
    connection?: GuardedConnection,
  ): Promise<T> {
    // The holder of the only connection must not queue behind those who wait for it.
    if (connection?.isHeld) return await this.#retry(execute, passage);
    return await this.#inLine(passage, () => this.#retry(execute, passage, connection));
  }

  /** One write at a time, and one read, or a few over a network. */
  async #inLine<T>({ deadlineMs, commits }: Passage, execute: () => Promise<T>): Promise<T> {
    const line = commits ? this.#writes : this.#reads;
    const entering = line.enter(deadlineMs);
    if (entering !== undefined) await entering;
    try {
      return await execute();
    } finally {
      line.leave();
    }
  }

  async #retry<T>(
    execute: () => Promise<T>,
    { deadlineMs, commits }: Passage,
    connection?: GuardedConnection,
  ): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        if (connection?.isHeld === false) await connection.acquire();
        return await this.attempt(
          () => {
            // Beside an open transaction the statement would be refused, and renewing the connection would end the transaction.
            if (this.#openTransactions > 0 && !this.isRemote) throw new TransactionOpenError();
            return execute();
          },
          { commits, deadlineMs },
        );
      } catch (error) {
        const fault = classifyDatabaseError(error, this.isRemote);
        if (fault !== 'busy' && fault !== 'blocked') throw error;
        if (this.#clock.monotonicMs() >= deadlineMs) throw new TimeUpError(error);
        await connection?.release();
      }
      const pauseMs = Math.random() * Math.min(MAX_BUSY_PAUSE_MS, 4 * 2 ** tries);
      await new Promise<void>((resolve) => this.#clock.schedule(pauseMs, resolve));
    }
  }

  /** Executes once. After BUSY, the connection is renewed before anything else is executed. */
  async attempt<T>(
    execute: () => Promise<T>,
    { commits = false, deadlineMs = Number.POSITIVE_INFINITY } = {},
  ): Promise<T> {
    if (this.#closing.error) throw this.#closing.error;
    if (this.isRemote) {
      const withinMs = commits
        ? WRITE_WITHIN_MS
        : Math.max(0, Math.min(READ_WITHIN_MS, deadlineMs - this.#clock.monotonicMs()));
      return await inTime(execute(), { withinMs, clock: this.#clock, closing: this.#closing }).catch(
        (error: unknown) => {
          throw this.#closedBy(error) ?? error;
        },
      );
    }
    const done = await this.#turns.take(commits);
    try {
      if (this.#closing.error) throw this.#closing.error;
      if (this.#renewal.isPending) await this.#renewal.beforeUse();
      const result = await execute();
      if (commits) this.#turns.noteCommit();
      else if (hasRows(result)) this.#turns.noteRead(result.rows);
      return result;
    } catch (error) {
      const closed = this.#closedBy(error);
      if (closed) throw closed;
      await this.#renewal.after(error);
      // Waiting for the lock held the event loop, so the next statement gets a turn of its own.
      await new Promise<void>((resolve) => defer(resolve));
      throw error;
    } finally {
      done();
    }
  }

  /** The error to refuse everything with, if this one came from a closed client. A renewed client is not closed. */
  #closedBy(error: unknown): DatabaseUnavailableError | undefined {
    if (this.#closing.error) return this.#closing.error;
    const isClosed = this.#adapter.isClosed?.() ?? isClosedError(error);
    return isClosed ? this.#closing.close(error) : undefined;
  }
}

/** Whether these are a statement's rows; beginning a transaction has none. */
function hasRows(result: unknown): result is QueryResult<unknown> {
  return typeof result === 'object' && result !== null && 'rows' in result;
}
