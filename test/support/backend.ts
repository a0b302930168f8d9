import type { Dialect } from 'kysely';
import type { Clock } from '../../src/core/clock.ts';
import type { JournalEventType } from '../../src/core/events.ts';
import type { Store } from '../../src/core/store.ts';

/** One way into a test's database: what one process would open. */
export interface OpenedDatabase {
  readonly dialect: Dialect;
  /** For dialects whose connection the engine can't renew by itself. */
  readonly reconnect?: () => void;
  close(): void | Promise<void>;
}

export type Content = 'empty' | 'migrated';

/** A database of one test. */
export interface TestDatabase {
  open(): OpenedDatabase | Promise<OpenedDatabase>;
  remove(): void | Promise<void>;
}

/** What a test does to a database past durably, in the database's own language. */
export interface DatabaseTools {
  /** Makes a running run's heartbeat so much older by the database's clock; younger by a negative number. */
  ageHeartbeat(runId: string, byMs: number): Promise<void>;
  /** Makes a waiting run, and its open steps, due so much sooner by the database's clock. */
  ageDue(runId: string, byMs: number): Promise<void>;
  /** Makes every `run:delete` row so much older. */
  ageDeletions(byMs: number): Promise<void>;
  /** From now on the database refuses a run with this payload (JSON text): a fault of the statement. */
  refuseRuns(payload: string): Promise<void>;
  /** From now on the database refuses events of this type. */
  refuseEvents(type: JournalEventType): Promise<void>;
  /** Keeps others from writing until the answer is called. */
  lock(): Promise<() => Promise<void>>;
}

/** A kind of database and the way to reach it. */
export interface Backend {
  readonly name: string;
  /** Whether the engine can't renew the connection by itself, so that `reconnect` must be given. */
  readonly needsReconnect: boolean;
  /** On a file a writer is refused while another has the lock; a server lets it wait. */
  readonly locks: 'refuse' | 'wait';
  /** A database that is empty, or migrated. */
  createDatabase(content?: Content): Promise<TestDatabase>;
  createStore(opened: OpenedDatabase, clock: Clock): Store;
  createTools(opened: OpenedDatabase): DatabaseTools;
}
