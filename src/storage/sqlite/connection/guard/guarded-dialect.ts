import type { Dialect, Driver } from 'kysely';
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
  readonly driver: GuardedDriver;

  constructor(inner: Dialect, options: GuardOptions) {
    this.#inner = inner;
    this.driver = new GuardedDriver(inner.createDriver(), options);
  }

  createDriver(): Driver {
    return this.driver;
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
