/** A worker that works on the database, as it said when it was last seen. */
export interface WorkerInfo {
  /** Another one after each start. Workers on demand come and go, so they share the instance `on-demand`. */
  readonly instance: string;
  /** The version of durably. */
  readonly version: string;
  /** How many runs it executed, of how many that it can execute at once. */
  readonly slots: { readonly inUse: number; readonly of: number };
  /** The names of the jobs that it knows, sorted. */
  readonly jobs: readonly string[];
  /** When it began: ISO 8601 UTC, by the database's clock. On demand, when its latest shift began. */
  readonly startedAt: string;
  /** A worker says about every 20 seconds that it is there. One that stops in order is gone from the list at once. */
  readonly lastSeenAt: string;
}

/** What a worker says about itself. */
export interface NotedWorker {
  readonly instance: string;
  readonly version: string;
  readonly inUse: number;
  readonly slots: number;
  readonly jobs: readonly string[];
  /** Whether it begins anew each time. */
  readonly isOnDemand: boolean;
}
