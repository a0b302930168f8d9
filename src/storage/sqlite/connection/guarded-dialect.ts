import type {
  CompiledQuery,
  DatabaseConnection,
  Dialect,
  Driver,
  QueryResult,
  TransactionSettings,
} from 'kysely';
import { type Clock, defer } from '../../../core/clock.ts';
import { DatabaseUnavailableError } from '../../../core/errors/errors.ts';
import { CALLER_BUDGET_MS } from '../../../core/store.ts';
import { isWrite } from '../sql.ts';
import { Closing } from './closing.ts';
import { classifyDatabaseError, isClosedError } from './database-error.ts';
import { Deadlines, deadlineOf, TimeUpError } from './deadline.ts';
import {
  asGuarded,
  type Guard,
  GuardedConnection,
  type Passage,
  TransactionOpenError,
} from './guarded-connection.ts';
import { type Batch, batchOf, libsqlClientOf } from './libsql-client.ts';
import { Line } from './line.ts';
import { Turns } from './turns.ts';

/** A remote database that has not answered by then has lost the request, or its answer. */
const ANSWER_WITHIN_MS = 5_000;
const MAX_BUSY_PAUSE_MS = 100;

export interface GuardOptions {
  readonly clock: Clock;
  /** Renews the dialect's connection, where its driver has no client that can. */
  readonly reconnect?: (() => void | Promise<void>) | undefined;
  /** Told when the driver is destroyed, or found closed by its owner. */
  readonly closing?: Closing | undefined;
}

/**
 * Wraps a dialect so that no statement ever runs on a connection that met
 * SQLITE_BUSY: libSQL's connections answer success from then on and commit
 * nothing. The connection is renewed before any other statement gets at it,
 * and the statement that was refused is tried again, with jitter.
 *
 * A local database holds the event loop while it executes, so each turn of the
 * loop takes only so much ({@link Turns}): timers and sockets get theirs in between.
 */
export class GuardedDialect implements Dialect {
  readonly #inner: Dialect;
  readonly #options: GuardOptions;
  #driver: GuardedDriver | undefined;

  constructor(inner: Dialect, options: GuardOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  /** Whether the driver talks to a database over the network. */
  get isRemote(): boolean {
    return this.#driver?.isRemote ?? false;
  }

  /** Statements in one request and one transaction; undefined where the driver can't, or needn't. */
  get batch(): Batch | undefined {
    return this.#driver?.batch;
  }

  /** Puts a local file into its fastest mode, where the driver can. */
  async tune(): Promise<void> {
    await this.#driver?.tune();
  }

  /** Executes past Kysely, whose own way takes as long as a short statement; undefined before its first one. */
  get execute(): ((query: CompiledQuery) => Promise<QueryResult<unknown>>) | undefined {
    return this.#driver?.isReady ? this.#driver.execute : undefined;
  }

  createDriver(): Driver {
    this.#driver = new GuardedDriver(this.#inner.createDriver(), this.#options);
    return this.#driver;
  }

  createQueryCompiler() {
    return this.#inner.createQueryCompiler();
  }

  createAdapter() {
    return this.#inner.createAdapter();
  }

  createIntrospector(db: Parameters<Dialect['createIntrospector']>[0]) {
    return this.#inner.createIntrospector(db);
  }
}

class GuardedDriver implements Driver, Guard {
  readonly #inner: Driver;
  readonly #clock: Clock;
  readonly #renew: (() => void | Promise<void>) | undefined;
  readonly isRemote: boolean;
  readonly batch: Batch | undefined;
  /** Why nothing may be executed any more: a BUSY connection that can't be renewed. */
  #spoiled: DatabaseUnavailableError | undefined;
  /** The connection met BUSY, and its renewal failed: until it succeeds nothing may be executed on it. */
  #isRenewalDue = false;
  readonly #closing: Closing;
  readonly #client: ReturnType<typeof libsqlClientOf>;
  readonly #turns = new Turns();
  #openTransactions = 0;
  readonly #useWal: (() => void) | undefined;
  /** Reads don't wait for a write that meets a lock: in WAL mode they need none. */
  readonly #reads: Line;
  readonly #writes: Line;

  constructor(inner: Driver, { clock, reconnect, closing = new Closing() }: GuardOptions) {
    this.#inner = inner;
    this.#clock = clock;
    this.#closing = closing;
    const client = libsqlClientOf(inner);
    this.#client = client;
    this.isRemote = client !== undefined && client.protocol !== 'file';
    const batch = this.isRemote ? batchOf(client) : undefined;
    this.batch = batch && ((statements) => this.attempt(() => batch(statements)));
    this.#renew = reconnect ?? (client && (() => client.reconnect()));
    this.#useWal = client?.useWal?.bind(client);
    const waiting = new Deadlines(clock);
    this.#reads = new Line(waiting);
    this.#writes = new Line(waiting);
  }

  /** A file that others keep from it stays in the mode that it is in. */
  async tune(): Promise<void> {
    const useWal = this.#useWal;
    if (useWal === undefined) return;
    const passage = { deadlineMs: this.#clock.monotonicMs() + CALLER_BUDGET_MS, commits: true };
    await this.retryWhileBusy(async () => useWal(), passage).catch((error: unknown) => {
      if (!(error instanceof TimeUpError)) throw error;
    });
  }

  /** Whether Kysely has begun with it, and not ended. */
  isReady = false;

  async init() {
    await this.#inner.init();
    this.isReady = true;
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
    return { deadlineMs: deadlineOf(query, this.#clock), commits: isWrite(query.sql) };
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
    // A renewed connection has no transaction left to roll back, and the error
    // that led here matters more than what that says.
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
    // Who holds the only connection must not wait in line for those who wait for it.
    if (connection?.isHeld) return await this.#retry(execute, passage);
    if (this.isRemote) return await this.#retry(execute, passage, connection);
    const line = passage.commits ? this.#writes : this.#reads;
    const entering = line.enter(passage.deadlineMs);
    if (entering !== undefined) await entering;
    try {
      return await this.#retry(execute, passage, connection);
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
            // Beside an open transaction it would be refused, and the connection's renewal would end that.
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

  /** Executes once. When it fails for BUSY, the connection is renewed before anyone else's turn. */
  async attempt<T>(
    execute: () => Promise<T>,
    { commits = false, deadlineMs = Number.POSITIVE_INFINITY } = {},
  ): Promise<T> {
    if (this.#closing.error) throw this.#closing.error;
    if (this.isRemote) {
      return await this.#inTime(execute(), deadlineMs).catch((error: unknown) => {
        throw this.#closedBy(error) ?? error;
      });
    }
    const done = await this.#turns.take(commits);
    try {
      if (this.#closing.error) throw this.#closing.error;
      if (this.#spoiled) throw this.#spoiled;
      if (this.#isRenewalDue) await this.#renewConnection();
      const result = await execute();
      if (commits) this.#turns.noteCommit();
      else if (hasRows(result)) this.#turns.noteRead(result.rows);
      return result;
    } catch (error) {
      const closed = this.#closedBy(error);
      if (closed) throw closed;
      await this.#renewAfter(error);
      // The wait for the lock held the event loop: whoever is next waits for it in a turn of its own.
      await new Promise<void>((resolve) => defer(resolve));
      throw error;
    } finally {
      done();
    }
  }

  /** A network may lose an answer without a word; locally none is lost. */
  async #inTime<T>(answer: Promise<T>, deadlineMs: number): Promise<T> {
    let cancel: () => void = () => undefined;
    const withinMs = Math.max(0, Math.min(ANSWER_WITHIN_MS, deadlineMs - this.#clock.monotonicMs()));
    const late = new Promise<never>((_, reject) => {
      cancel = this.#clock.schedule(withinMs, () =>
        reject(new Error(`the database has not answered within ${Math.round(withinMs)} ms`)),
      );
    });
    let forget: () => void = () => undefined;
    const closed = new Promise<never>((_, reject) => {
      forget = this.#closing.onClose(reject);
    });
    return await Promise.race([answer, late, closed]).finally(() => {
      cancel();
      forget();
    });
  }

  /** Why nothing can be asked any more, if the error came of that: a client that is only renewed isn't closed. */
  #closedBy(error: unknown): DatabaseUnavailableError | undefined {
    if (this.#closing.error) return this.#closing.error;
    const isClosed = this.#client?.closed ?? isClosedError(error);
    return isClosed ? this.#closing.close(error) : undefined;
  }

  async #renewAfter(error: unknown): Promise<void> {
    const fault = classifyDatabaseError(error, this.isRemote);
    if (fault === 'statement' || fault === 'blocked' || error === this.#spoiled) return;
    if (this.#renew) {
      await this.#renewConnection();
    } else if (fault === 'busy') {
      this.#spoiled = new DatabaseUnavailableError(
        'The database was busy and its connection cannot be renewed: pass createDurably a `reconnect`',
        { cause: error, permanent: true },
      );
      throw this.#spoiled;
    }
  }

  /** @throws {DatabaseUnavailableError} if it can't be renewed now; the next turn tries it again. */
  async #renewConnection(): Promise<void> {
    const renew = async () => await this.#renew?.();
    this.#isRenewalDue = true;
    try {
      await this.#inTime(renew(), Number.POSITIVE_INFINITY);
      this.#isRenewalDue = false;
    } catch (error) {
      throw new DatabaseUnavailableError('The database connection could not be renewed', { cause: error });
    }
  }
}

/** Whether these are a statement's rows; the begin of a transaction, say, has none. */
function hasRows(result: unknown): result is QueryResult<unknown> {
  return typeof result === 'object' && result !== null && 'rows' in result;
}
