const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The buckets of stats: how long each is, and how long it is kept. Buckets begin at whole minutes, hours and days in UTC. */
export const STATS_BUCKETS = {
  '1m': { spanMs: MINUTE_MS, keptMs: 2 * DAY_MS },
  '1h': { spanMs: HOUR_MS, keptMs: 35 * DAY_MS },
  '1d': { spanMs: DAY_MS, keptMs: 400 * DAY_MS },
} as const;

/** The length of a bucket. */
export type StatsBucketSize = keyof typeof STATS_BUCKETS;

export const STATS_BUCKET_SIZES = Object.keys(STATS_BUCKETS) as StatsBucketSize[];

/** The most buckets between `since` and now. */
export const MAX_STATS_BUCKETS = 1_500;
/** The most buckets of an answer, those of all jobs together. */
export const MAX_STATS_POINTS = 5_000;

/** Which stats to read. */
export interface StatsQuery {
  /** Only of these jobs. An empty list means none. Default: all jobs that the database has seen. */
  readonly jobName?: string | readonly string[] | undefined;
  /**
   * From the bucket of this time on: a Date, an ISO 8601 text with a time zone, or how long ago: a duration such as
   * `'1h'`, or ms. Default: a day ago.
   */
  readonly since?: Date | string | number | undefined;
  /** Minutes are kept for 2 days, hours for 35, days for 400. Default: `'1h'`. */
  readonly bucket?: StatsBucketSize | undefined;
}

/** How long runs took from their first start to their end, waits included; ms, within 5 %. */
export interface DurationQuantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** What happened to runs in some time. A run counts at each of its events, so a retry makes it count again. */
export interface StatsNumbers {
  /** How often a worker started a try: the first one, a retry, a takeover. */
  readonly started: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Of completed and failed runs that no caller has retried. Null if there are none. */
  readonly duration: DurationQuantiles | null;
}

/** The numbers of one minute, hour or day. */
export interface StatsBucket extends StatsNumbers {
  /** When it begins: ISO 8601 UTC. */
  readonly at: string;
}

/** Numbers, in all and by time. */
export interface StatsSeries {
  readonly total: StatsNumbers;
  /** Oldest first. Buckets in which nothing happened are left out. */
  readonly buckets: readonly StatsBucket[];
}

/** What happened to runs, by time and by job. Deleted runs stay counted. */
export interface Stats extends StatsSeries {
  readonly bucket: StatsBucketSize;
  /** When the first bucket begins. */
  readonly since: string;
  /** All that happened until then is counted. It is earlier than now only if the service has to catch up. */
  readonly asOf: string;
  /** By name. Jobs to which nothing happened are left out. */
  readonly jobs: readonly ({ readonly jobName: string } & StatsSeries)[];
}
