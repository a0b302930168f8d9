import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dialect } from 'kysely';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { Store } from '../../src/core/store.ts';
import { assembleDurably, type Durably, type DurablyOptions } from '../../src/create-durably.ts';
import type { Backend, Content, DatabaseTools, OpenedDatabase, TestDatabase } from './backend.ts';
import { type RecordedStatement, recordStatements } from './dialects/recording-dialect.ts';
import type { FakeClock } from './fake-clock.ts';

export interface InstanceOptions extends Omit<DurablyOptions, 'dialect' | 'reconnect' | 'jobs'> {
  /** The system's clock unless given. */
  readonly clock?: FakeClock;
  /** Leaves out the `reconnect` that the backend needs. */
  readonly withoutReconnect?: boolean;
  /** Put around the backend's dialect. */
  readonly wrap?: (dialect: Dialect) => Dialect;
}

/** One durably instance on a connection of its own: what one process would have. */
export interface Instance {
  readonly durably: Durably;
  /** Every statement that it gave to its driver. */
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

/** One test's database, and all that the test opens on it. */
export class World {
  readonly backend: Backend;
  /** Made by what needs it first. */
  #database: Promise<TestDatabase> | undefined;
  readonly #cleanups: (() => void | Promise<void>)[] = [];

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** A world beside this one, with a database of its own. */
  another(): World {
    const other = new World(this.backend);
    this.#cleanups.push(() => other.dispose());
    return other;
  }

  /** An instance on the database as it is: not migrated, not started. */
  async instance(options: InstanceOptions = {}): Promise<Instance> {
    const { clock, withoutReconnect = false, wrap = (dialect) => dialect, ...settings } = options;
    const opened = await this.open();
    const { dialect, statements } = recordStatements(wrap(opened.dialect));
    const reconnect = withoutReconnect ? undefined : opened.reconnect;
    const durably = assembleDurably({ dialect, reconnect, ...settings }, { clock: clock ?? systemClock });
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

  /** A migrated instance without a worker: a process that only triggers. */
  async idle(options: InstanceOptions = {}): Promise<Instance> {
    await this.#make('migrated');
    const instance = await this.instance(options);
    await instance.durably.migrate();
    return instance;
  }

  /** The store of a process, on a connection of its own, its database migrated unless told otherwise. */
  async store({ content = 'migrated', clock = systemClock }: StoreOptions = {}): Promise<OpenStore> {
    await this.#make(content);
    const opened = await this.open();
    return { store: this.backend.createStore(opened, clock), close: () => opened.close() };
  }

  /** What a test does to the database past durably. */
  async tools(): Promise<DatabaseTools> {
    return this.backend.createTools(await this.open());
  }

  /** A connection past durably, to see or do what it would not. */
  async open(): Promise<OpenedDatabase> {
    const database = await this.#make('empty');
    const opened = await database.open();
    this.#cleanups.push(() => opened.close());
    return opened;
  }

  async dispose(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
    await (await this.#database)?.remove();
  }

  /** What it holds is decided by the first caller. */
  #make(content: Content): Promise<TestDatabase> {
    this.#database ??= this.backend.createDatabase(content);
    return this.#database;
  }
}

async function stopNow(durably: Durably, clock: FakeClock | undefined): Promise<void> {
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
