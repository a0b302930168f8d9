import type { CountedBuckets } from './bucket-counts.ts';

/** What a monitor watches of an instance. The counts begin with the instance. */
export interface Vitals {
  /** How many runs it executes at once, and how many it executes now. */
  readonly slots: { readonly inUse: number; readonly of: number };
  /** How many readers follow events: streams, and callers that wait for a run. */
  readonly streams: number;
  /**
   * The registered jobs, by name, and `durably:webhook` if webhooks are delivered here or wait for it. Null if the database did not
   * answer within three seconds.
   */
  readonly jobs: readonly JobLine[] | null;
  /** The active runs of all other jobs together. Null like `jobs`. */
  readonly otherJobs: Omit<JobLine, 'jobName' | 'oldestPendingMs'> | null;
  readonly database: DatabaseVitals;
}

/** How many runs of a job wait for something, wait to be claimed, and are executed, by all workers. */
export interface JobLine {
  readonly jobName: string;
  readonly pending: number;
  readonly waiting: number;
  readonly running: number;
  /** How long the run has been pending that has been so longest, of the first 100; ms. 0 if none is pending. */
  readonly oldestPendingMs: number;
}

/** The requests of an instance to its database. */
export interface DatabaseVitals {
  readonly reads: RequestCounts;
  /** Several writes leave together in one. */
  readonly writes: RequestCounts;
  /** How many writes left together. */
  readonly groups: CountedBuckets;
  /** How often the connection was renewed, after SQLITE_BUSY for example. */
  readonly renewals: number;
}

/** How often the database was asked, and how long it took. */
export interface RequestCounts {
  /** How long they took that were answered, seconds. */
  readonly seconds: CountedBuckets;
  /** How many failed. They were sent again, or their callers got an error. */
  readonly failed: number;
}

/** The line of a job, as it is stored. */
export type StoredLine = JobLine;
