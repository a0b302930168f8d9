import type {
  CompiledQuery,
  DatabaseConnection,
  Dialect,
  Driver,
  QueryResult,
  TransactionSettings,
} from 'kysely';
import { type Clock, defer } from '../core/clock.ts';
import { DatabaseUnavailableError } from '../core/errors.ts';
import { classifyDatabaseError } from './database-error.ts';
import { CALLER_BUDGET_MS, Deadlines, TimeUpError } from './deadline.ts';
import { type Batch, batchOf, libsqlClientOf } from './libsql-client.ts';
import { Line } from './line.ts';
import { isWrite } from './sql.ts';

/** A remote database that has not answered by then has lost the request, or its answer. */
const ANSWER_WITHIN_MS = 5_000;
const MAX_BUSY_PAUSE_MS = 100;

export interface GuardOptions {
  readonly clock: Clock;
  /** Renews the dialect's connection, where its driver has no client that can. */
  readonly reconnect?: (() => void | Promise<void>) | undefined;
}

/** A statement's way to the database: when to stop trying, on the monotonic clock, and whether it ends in a commit. */
interface Passage {
  readonly deadlineMs: number;
  readonly commits: boolean;
}

const deadlines = new WeakMap<CompiledQuery, number>();

/** Gives a query another deadline than {@link CALLER_BUDGET_MS} from its execution on. */
export function withDeadline(query: CompiledQuery, deadlineMs: number): CompiledQuery {
  deadlines.set(query, deadlineMs);
  return query;
}

/**
 * Wraps a dialect so that no statement ever runs on a connection that met
 * SQLITE_BUSY: libSQL's connections answer success from then on and commit
 * nothing. The connection is renewed before any other statement gets at it,
 * and the statement that was refused is tried again, with jitter.
 *
 * A local database holds the event loop while it commits, so there is at most
 * one commit in each of its turns: timers and sockets get theirs in between.
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

class GuardedDriver implements Driver {
  readonly #inner: Driver;
  readonly #clock: Clock;
  readonly #renew: (() => void | Promise<void>) | undefined;
  readonly isRemote: boolean;
  readonly batch: Batch | undefined;
  /** Why nothing may be executed any more: a BUSY connection that can't be renewed. */
  #spoiled: DatabaseUnavailableError | undefined;
  #turn: Promise<void> = Promise.resolve();
  #openTransactions = 0;
  /** Set when there was a commit in this turn of the event loop; resolves in the next. */
  #nextLoopTurn: Promise<void> | undefined;
  readonly #useWal: (() => void) | undefined;
  /** Reads don't wait for a write that meets a lock: in WAL mode they need none. */
  readonly #reads: Line;
  readonly #writes: Line;

  constructor(inner: Driver, { clock, reconnect }: GuardOptions) {
    this.#inner = inner;
    this.#clock = clock;
    const client = libsqlClientOf(inner);
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

  init() {
    return this.#inner.init();
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return new GuardedConnection(this.#inner, this);
  }

  passageOf(query: CompiledQuery): Passage {
    const deadlineMs = deadlines.get(query) ?? this.#clock.monotonicMs() + CALLER_BUDGET_MS;
    return { deadlineMs, commits: isWrite(query.sql) };
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings) {
    const guarded = asGuarded(connection);
    const passage = { deadlineMs: this.#clock.monotonicMs() + CALLER_BUDGET_MS, commits: true };
    await this.retryWhileBusy(
      () => this.#inner.beginTransaction(guarded.inner, settings),
      passage,
      guarded,
    );
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

  destroy() {
    return this.#inner.destroy();
  }

  /** Executes, retrying while the database is busy. @throws {TimeUpError} */
  async retryWhileBusy<T>(
    execute: () => Promise<T>,
    passage: Passage,
    connection?: GuardedConnection,
  ): Promise<T> {
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
    connection: GuardedConnection | undefined,
  ): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        await connection?.acquire();
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
    if (this.isRemote) return await this.#inTime(execute(), deadlineMs);
    const done = await this.#takeTurn(commits);
    try {
      if (this.#spoiled) throw this.#spoiled;
      const result = await execute();
      if (commits) this.#noteCommit();
      return result;
    } catch (error) {
      await this.#renewAfter(error);
      // The wait for the lock held the event loop: whoever is next waits for it in a turn of its own.
      await new Promise<void>((resolve) => defer(resolve));
      throw error;
    } finally {
      done();
    }
  }

  /** Resolves when nothing else is executed, and whoever commits may; call the answer when that is over. */
  async #takeTurn(commits: boolean): Promise<() => void> {
    for (;;) {
      while (commits && this.#nextLoopTurn) await this.#nextLoopTurn;
      const turn = this.#turn;
      let done: () => void = () => undefined;
      this.#turn = new Promise((resolve) => {
        done = resolve;
      });
      await turn;
      if (!commits || this.#nextLoopTurn === undefined) return done;
      // Somebody who was before it committed: it doesn't keep the others waiting for the next turn of the loop.
      done();
    }
  }

  #noteCommit(): void {
    this.#nextLoopTurn = new Promise((resolve) => {
      defer(() => {
        this.#nextLoopTurn = undefined;
        resolve();
      });
    });
  }

  /** A network may lose an answer without a word; locally none is lost. */
  async #inTime<T>(answer: Promise<T>, deadlineMs: number): Promise<T> {
    let cancel: () => void = () => undefined;
    const withinMs = Math.max(0, Math.min(ANSWER_WITHIN_MS, deadlineMs - this.#clock.monotonicMs()));
    const late = new Promise<never>((_, reject) => {
      cancel = this.#clock.schedule(withinMs, () =>
        reject(new Error(`the database has not answered within ${ANSWER_WITHIN_MS} ms`)),
      );
    });
    return await Promise.race([answer, late]).finally(() => cancel());
  }

  async #renewAfter(error: unknown): Promise<void> {
    const fault = classifyDatabaseError(error, this.isRemote);
    if (fault === 'statement' || fault === 'blocked' || error === this.#spoiled) return;
    if (this.#renew) {
      await this.#renew();
    } else if (fault === 'busy') {
      this.#spoiled = new DatabaseUnavailableError(
        'The database was busy and its connection cannot be renewed: pass createDurably a `reconnect`',
        { cause: error, permanent: true },
      );
      throw this.#spoiled;
    }
  }
}

/** Coded as the client codes it. */
class TransactionOpenError extends Error {
  readonly code = 'TRANSACTION_ACTIVE';

  constructor() {
    super('a transaction of this process is open');
  }
}

/**
 * Holds one of the driver's connections only while a statement is tried, and
 * from its success on: many drivers have but one, and others would wait for it
 * as long as a statement waits for a lock.
 */
class GuardedConnection implements DatabaseConnection {
  readonly #innerDriver: Driver;
  readonly #driver: GuardedDriver;
  #inner: DatabaseConnection | undefined;
  inTransaction = false;

  constructor(innerDriver: Driver, driver: GuardedDriver) {
    this.#innerDriver = innerDriver;
    this.#driver = driver;
  }

  get inner(): DatabaseConnection {
    if (this.#inner === undefined) throw new TypeError('no statement was executed on this connection');
    return this.#inner;
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
    if (this.inTransaction) return this.#driver.attempt(execute);
    return this.#driver.retryWhileBusy(execute, this.#driver.passageOf(query), this);
  }

  async *streamQuery<R>(query: CompiledQuery, chunkSize?: number) {
    await this.acquire();
    yield* this.inner.streamQuery<R>(query, chunkSize ?? 100);
  }
}

function asGuarded(connection: DatabaseConnection): GuardedConnection {
  if (!(connection instanceof GuardedConnection)) throw new TypeError('not a connection of this driver');
  return connection;
}
