import type { CompiledQuery, Dialect, Driver, QueryResult } from 'kysely';
import type { Batch } from '../adapter.ts';
import { GuardedDriver, type GuardOptions } from './guarded-driver.ts';

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

  /** Statements in one request and one transaction; undefined where the driver can't. */
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
