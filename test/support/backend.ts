import type { Dialect } from 'kysely';
import type { JournalEventType } from '../../src/core/events.ts';
import type { DurablyPlugin } from '../../src/core/plugins/plugin.ts';
import type { Store } from '../../src/core/store.ts';
import type { Clock } from '../../src/core/time/clock.ts';

/** A test's database, opened as one process would open it. */
export interface OpenedDatabase {
  readonly dialect: Dialect;
  /** For dialects whose connection the engine cannot renew by itself. */
  readonly reconnect?: () => void;
  close(): void | Promise<void>;
}

export type Content = 'empty' | 'migrated';

/** A database of one test. */
export interface TestDatabase {
  open(): OpenedDatabase | Promise<OpenedDatabase>;
  remove(): void | Promise<void>;
}

/** What a test does to a database without durably, in the database's own language. */
export interface DatabaseTools {
  /** Makes a running run's heartbeat older by the database's clock, or younger if the number is negative. */
  ageHeartbeat(runId: string, byMs: number): Promise<void>;
  /** Makes a waiting run, and its open steps, due so much sooner by the database's clock. */
  ageDue(runId: string, byMs: number): Promise<void>;
  /** Makes the time of a run that has a ttl or a timeout be up so much sooner by the database's clock. */
  ageDeadline(runId: string, byMs: number): Promise<void>;
  /** Makes the last starts of throttled runs so much older by the database's clock. */
  ageThrottles(byMs: number): Promise<void>;
  /** Makes idempotency keys that count only for a while so much older. */
  ageIdempotencyKeys(byMs: number): Promise<void>;
  /** Makes a run have been created earlier, or later if the number is negative. */
  ageCreation(runId: string, byMs: number): Promise<void>;
  /** Makes a run have started earlier. */
  ageStart(runId: string, byMs: number): Promise<void>;
  /** Makes all events of a run older. */
  ageEvents(runId: string, byMs: number): Promise<void>;
  /** Makes workers have been seen, and have started, earlier. */
  ageWorker(instance: string, byMs: number): Promise<void>;
  /** Makes an ended run have ended earlier. */
  ageEnd(runId: string, byMs: number): Promise<void>;
  /** Makes the next slot of each schedule, or of one, come so much sooner by the database's clock. */
  ageSchedules(byMs: number, id?: string): Promise<void>;
  /** Makes every `run:delete` row older. */
  ageDeletions(byMs: number): Promise<void>;
  /** Makes the database refuse runs with this payload (JSON text), as a fault of the statement, until the returned function is called. */
  refuseRuns(payload: string): Promise<() => Promise<void>>;
  /** Makes the database refuse events of this type. */
  refuseEvents(type: JournalEventType): Promise<void>;
  /** Keeps others from writing until the returned function is called. */
  lock(): Promise<() => Promise<void>>;
}

/** A kind of database and the way to reach it. */
export interface Backend {
  readonly name: string;
  /** Whether the engine cannot renew the connection by itself, so that `reconnect` must be given. */
  readonly needsReconnect: boolean;
  /** What happens to a writer while another holds the lock: a file refuses it, a server lets it wait. */
  readonly locks: 'refuse' | 'wait';
  /** The plugins of every instance on it. */
  readonly use?: readonly DurablyPlugin[];
  /** A database that is empty, or migrated. */
  createDatabase(content?: Content): Promise<TestDatabase>;
  createStore(opened: OpenedDatabase, clock: Clock): Store;
  createTools(opened: OpenedDatabase): DatabaseTools;
}
