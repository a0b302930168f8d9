import type { CompiledQuery, Dialect, Driver, QueryResult } from 'kysely';
import type { Batch } from '../../adapter.ts';
import { GuardedDriver, type GuardOptions } from './guarded-driver.ts';

/**
 * Wraps a dialect so that no statement runs on a connection that met SQLITE_BUSY. After that error,
 * libSQL's connections report success and commit nothing. The connection is renewed before it
 * executes anything else, and the refused statement is tried again, with jitter.
 *
 * A local database holds up the event loop while it executes. {@link Turns} limits what one turn of
 * the loop executes, so that timers and sockets are served in between.
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

  /** Executes statements in one request and one transaction. Undefined if the driver cannot. */
  get batch(): Batch | undefined {
    return this.#driver?.batch;
  }

  /** Puts a local file into its fastest mode, where the driver can. */
  async tune(): Promise<void> {
    await this.#driver?.tune();
  }

  /**
   * Executes without Kysely, which takes as long as a short statement itself. Undefined before
   * Kysely's first statement.
   */
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
