import type { Call } from '../call.ts';
import type { DatabaseVitals, StoredLine } from './vitals.ts';
import type { NotedWorker } from './worker-info.ts';

/** Which buckets to read. */
export interface StatsLook {
  readonly spanMs: number;
  /** A time, ms since the epoch, or a time before now. The bucket of it is the first. */
  readonly since: { readonly atMs: number } | { readonly agoMs: number };
  /** Null: all jobs. */
  readonly jobNames: readonly string[] | null;
  /** The most rows to read. */
  readonly limit: number;
}

/** A bucket of a job, or a part of it: the rest is another row. */
export interface StatsRow {
  readonly atMs: number;
  readonly jobName: string;
  readonly started: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** A JSON object: how many durations are in each bin of a histogram. */
  readonly durations: string;
}

export interface StoredStats {
  /** When the first bucket begins. */
  readonly sinceMs: number;
  /** All events until then are counted. */
  readonly asOfMs: number;
  /** As many as the limit if there may be more. */
  readonly rows: readonly StatsRow[];
}

/** A worker as it is stored. Times are ms since the epoch. */
export interface StoredWorker extends Omit<NotedWorker, 'isOnDemand'> {
  readonly startedAtMs: number;
  readonly seenAtMs: number;
}

export interface StoredOverview {
  readonly nowMs: number;
  /** Since when the run has been pending that has been so longest, of the first 1,000. Null if none is. */
  readonly pendingSinceMs: number | null;
  /** Null if the server refuses to tell. */
  readonly databaseBytes: number | null;
}

/** The part of the Store by which operators see what goes on. */
export interface StatsStore {
  /**
   * Adds a portion of the journal's new events to the stats, and removes a portion of old buckets. Each event is added once,
   * however many processes do it, and one of a deleted run before it goes. Returns whether there may be more.
   */
  foldStats(): Promise<boolean>;
  /** Events that were not added yet count as well. */
  readStats(look: StatsLook): Promise<StoredStats>;
  /** Stores that a worker is there. Done twice, it changes only the time. */
  noteWorker(worker: NotedWorker): Promise<void>;
  /** A worker has stopped. @param deadlineMs when to give up, on the monotonic clock. */
  forgetWorker(instance: string, deadlineMs: number): Promise<void>;
  /** Those that were seen in the last hour, in the order of their starts. */
  listWorkers(): Promise<StoredWorker[]>;
  readOverview(call?: Call): Promise<StoredOverview>;
  /** Of all jobs that have runs. It writes nothing, and costs nothing for runs that have ended. */
  listLines(): Promise<StoredLine[]>;
  /** The requests that this store has made. */
  requests(): DatabaseVitals;
}
