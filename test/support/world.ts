import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dialect } from 'kysely';
import type { Store } from '../../src/core/store.ts';
import { type Clock, systemClock } from '../../src/core/time/clock.ts';
import { assembleDurably, type Durably } from '../../src/create-durably.ts';
import type { DurablyOptions } from '../../src/durably-options.ts';
import type { Backend, Content, DatabaseTools, OpenedDatabase, TestDatabase } from './backend.ts';
import { type RecordedStatement, recordStatements } from './dialects/recording-dialect.ts';
import type { FakeClock } from './fake-clock.ts';

export interface InstanceOptions extends Omit<DurablyOptions, 'dialect' | 'reconnect' | 'jobs'> {
  /** Default: the system's clock. */
  readonly clock?: FakeClock;
  /** Leaves out the `reconnect` that the backend needs. */
  readonly withoutReconnect?: boolean;
  /** Wraps the backend's dialect. */
  readonly wrap?: (dialect: Dialect) => Dialect;
}

/** One durably instance with its own connection, as one process would have. */
export interface Instance {
  readonly durably: Durably;
  /** Every statement that it passed to its driver. */
  readonly statements: RecordedStatement[];
  /** Closes its connection, as its owner may. */
  close(): void;
}

export interface StoreOptions {
  readonly content?: Content;
  readonly clock?: Clock;
}

/** A store, and its connection. */
export interface OpenStore {
  readonly store: Store;
  /** Closes its connection, as its owner may. */
  close(): void | Promise<void>;
}

/** One test's database, and everything that the test opens on it. */
export class World {
  readonly backend: Backend;
  /** Created on first use. */
  #database: Promise<TestDatabase> | undefined;
  readonly #cleanups: (() => void | Promise<void>)[] = [];

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** Whether plugins encode what is stored: the test can't look for a payload in the database, or make that refuse one. */
  get isEncoded(): boolean {
    return this.backend.use !== undefined;
  }

  /** Another world, with a separate database. */
  another(): World {
    const other = new World(this.backend);
    this.#cleanups.push(() => other.dispose());
    return other;
  }

  /** An instance that is neither migrated nor started. */
  async instance(options: InstanceOptions = {}): Promise<Instance> {
    const { clock, withoutReconnect = false, wrap = (dialect) => dialect, ...settings } = options;
    const use = [...(this.backend.use ?? []), ...(settings.use ?? [])];
    const opened = await this.open();
    const { dialect, statements } = recordStatements(wrap(opened.dialect));
    const reconnect = withoutReconnect ? undefined : opened.reconnect;
    const durably = assembleDurably(
      { dialect, reconnect, ...settings, use },
      { clock: clock ?? systemClock },
    );
    this.#cleanups.push(() => stopNow(durably, clock));
    return { durably, statements, close: () => opened.close() };
  }

  /** A migrated and started instance. */
  async start(options: InstanceOptions = {}): Promise<Instance> {
    await this.#make('migrated');
    const instance = await this.instance(options);
    await instance.durably.init();
    return instance;
  }

  /** A migrated instance without a worker, like a process that only triggers. */
  async idle(options: InstanceOptions = {}): Promise<Instance> {
    await this.#make('migrated');
    const instance = await this.instance(options);
    await instance.durably.migrate();
    return instance;
  }

  /** The store of one process, with its own connection. The database is migrated unless told otherwise. */
  async store({ content = 'migrated', clock = systemClock }: StoreOptions = {}): Promise<OpenStore> {
    await this.#make(content);
    const opened = await this.open();
    return { store: this.backend.createStore(opened, clock), close: () => opened.close() };
  }

  /** What a test does to the database without durably. */
  async tools(): Promise<DatabaseTools> {
    return this.backend.createTools(await this.open());
  }

  /** A connection that bypasses durably. */
  async open(): Promise<OpenedDatabase> {
    const database = await this.#make('empty');
    const opened = await database.open();
    this.#cleanups.push(() => opened.close());
    return opened;
  }

  async dispose(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) await inTime(cleanup());
    await inTime((await this.#database)?.remove());
  }

  /** The first caller decides what it contains. */
  #make(content: Content): Promise<TestDatabase> {
    this.#database ??= this.backend.createDatabase(content);
    return this.#database;
  }
}

const CLEANUP_MS = 30_000;

/** The test runner gives a fixture's end all the time in the world. */
async function inTime(cleanup: Promise<void> | void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error('what the test has opened could not be closed');
    timer = setTimeout(() => reject(error), CLEANUP_MS);
  });
  await Promise.race([cleanup, late]).finally(() => clearTimeout(timer));
}

/** Stops an instance whose clock may stand still. */
export async function stopNow(durably: Durably, clock: FakeClock | undefined): Promise<void> {
  let isStopped = false;
  const stopped = durably.stop({ timeoutMs: 0 }).finally(() => {
    isStopped = true;
  });
  while (clock && !isStopped) {
    clock.advance(50);
    await nextTurn();
  }
  await stopped;
}
