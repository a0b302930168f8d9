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
import { Closing } from './closing.ts';
import { classifyDatabaseError, isClosedError } from './database-error.ts';
import { type Batch, batchOf, libsqlClientOf } from './libsql-client.ts';

const BUSY_BUDGET_MS = 10_000;
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
  /** The connection met BUSY, and its renewal failed: until it succeeds nothing may be executed on it. */
  #isRenewalDue = false;
  readonly #closing: Closing;
  readonly #client: ReturnType<typeof libsqlClientOf>;
  #turn: Promise<void> = Promise.resolve();
  #openTransactions = 0;

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
  }

  init() {
    return this.#inner.init();
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return new GuardedConnection(await this.#inner.acquireConnection(), this);
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings) {
    const guarded = asGuarded(connection);
    await this.retryWhileBusy(() => this.#inner.beginTransaction(guarded.inner, settings));
    guarded.inTransaction = true;
    this.#openTransactions++;
  }

  async commitTransaction(connection: DatabaseConnection) {
    const guarded = asGuarded(connection);
    await this.attempt(() => this.#inner.commitTransaction(guarded.inner));
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
    return this.#inner.releaseConnection(asGuarded(connection).inner);
  }

  async destroy() {
    this.#closing.close();
    await this.#inner.destroy();
  }

  /** Executes, retrying while the database is busy. */
  async retryWhileBusy<T>(execute: () => Promise<T>): Promise<T> {
    const start = this.#clock.monotonicMs();
    for (let tries = 0; ; tries++) {
      try {
        return await this.attempt(() => {
          // Beside an open transaction it would be refused, and the connection's renewal would end that.
          if (this.#openTransactions > 0 && !this.isRemote) throw new TransactionOpenError();
          return execute();
        });
      } catch (error) {
        const fault = classifyDatabaseError(error, this.isRemote);
        if (fault !== 'busy' && fault !== 'blocked') throw error;
        if (this.#clock.monotonicMs() - start > BUSY_BUDGET_MS) {
          throw new DatabaseUnavailableError('The database stayed busy', { cause: error });
        }
      }
      const pauseMs = Math.random() * Math.min(MAX_BUSY_PAUSE_MS, 4 * 2 ** tries);
      await new Promise<void>((resolve) => this.#clock.schedule(pauseMs, resolve));
    }
  }

  /** Executes once. When it fails for BUSY, the connection is renewed before anyone else's turn. */
  async attempt<T>(execute: () => Promise<T>): Promise<T> {
    if (this.#closing.error) throw this.#closing.error;
    if (this.isRemote) {
      return await this.#inTime(execute()).catch((error: unknown) => {
        throw this.#closedBy(error) ?? error;
      });
    }
    const turn = this.#turn;
    let done: () => void = () => undefined;
    this.#turn = new Promise((resolve) => {
      done = resolve;
    });
    await turn;
    try {
      if (this.#closing.error) throw this.#closing.error;
      if (this.#spoiled) throw this.#spoiled;
      if (this.#isRenewalDue) await this.#renewConnection();
      return await execute();
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
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    let cancel: () => void = () => undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = this.#clock.schedule(ANSWER_WITHIN_MS, () =>
        reject(new Error(`the database has not answered within ${ANSWER_WITHIN_MS} ms`)),
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
      await this.#inTime(renew());
      this.#isRenewalDue = false;
    } catch (error) {
      throw new DatabaseUnavailableError('The database connection could not be renewed', { cause: error });
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

class GuardedConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection;
  readonly #driver: GuardedDriver;
  inTransaction = false;

  constructor(inner: DatabaseConnection, driver: GuardedDriver) {
    this.inner = inner;
    this.#driver = driver;
  }

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const execute = () => this.inner.executeQuery<R>(query);
    // Inside a transaction a renewed connection has lost what came before: only its beginner can start over.
    return this.inTransaction ? this.#driver.attempt(execute) : this.#driver.retryWhileBusy(execute);
  }

  streamQuery<R>(query: CompiledQuery, chunkSize?: number) {
    return this.inner.streamQuery<R>(query, chunkSize ?? 100);
  }
}

function asGuarded(connection: DatabaseConnection): GuardedConnection {
  if (!(connection instanceof GuardedConnection)) throw new TypeError('not a connection of this driver');
  return connection;
}
