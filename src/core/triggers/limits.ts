/** How many runs of a job may be executed at once, and how many may start in a while. The definition of the claiming process counts. */
export interface JobLimits {
  readonly jobName: string;
  /** How many runs of the job are executed at once. */
  readonly limit: number | undefined;
  /** How many runs of one limit key are executed at once. */
  readonly perKey: number | undefined;
  /** Whether a waiting run gives its place and its concurrency key to others. */
  readonly whileWaiting: 'release' | 'hold';
  readonly throttle: Throttle | undefined;
}

/** How many runs may start in a while. */
export interface Throttle {
  readonly limit: number;
  readonly perMs: number;
  /** Whether it counts for each key. */
  readonly isKeyed: boolean;
}

/** The keys of a run, made by the limits of its job when it was triggered. */
export interface LimitKeys {
  /** For `perKey`. */
  readonly limitKey?: string | undefined;
  /** For the throttle; null if that counts for the whole job. */
  readonly throttleKey?: string | null | undefined;
}
