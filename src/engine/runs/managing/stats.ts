import { ValidationError } from '../../../core/errors/errors.ts';
import { decodeJson } from '../../../core/json/json.ts';
import { addTo, type Histogram, quantilesOf } from '../../../core/stats/histogram.ts';
import {
  MAX_STATS_BUCKETS,
  MAX_STATS_POINTS,
  STATS_BUCKET_SIZES,
  STATS_BUCKETS,
  type Stats,
  type StatsBucketSize,
  type StatsNumbers,
  type StatsQuery,
  type StatsSeries,
} from '../../../core/stats/stats.ts';
import type { StatsLook, StatsRow } from '../../../core/stats/stats-store.ts';
import { toIsoTime } from '../../../core/time/clock.ts';
import { parseDuration, parseTime } from '../../../core/time/duration.ts';
import { checkMembers, type MembersOf } from '../../../core/validation/known-names.ts';
import { refuseMember } from '../../../core/validation/refusal.ts';
import { shownValue } from '../../../core/validation/shown-value.ts';
import type { RunsDeps } from '../runs-deps.ts';

const QUERY: MembersOf<StatsQuery> = { jobName: true, since: true, bucket: true };

/** How often runs were started, how they ended and how long they took. */
export async function getStats(
  { store, clock }: Pick<RunsDeps, 'store' | 'clock'>,
  query: StatsQuery = {},
): Promise<Stats> {
  checkMembers('getStats option', query, QUERY);
  const { jobName, since = '1d', bucket = '1h' } = query;
  const { spanMs } = bucketOf(bucket);
  const look: StatsLook = {
    spanMs,
    since: sinceOf(since, { bucket, nowMs: clock.now() }),
    jobNames: jobName === undefined ? null : namesOf(jobName),
    limit: MAX_STATS_POINTS + 1,
  };
  const { rows, sinceMs, asOfMs } = await store.readStats(look);
  // A bucket comes in two rows while a part of it is still to be added.
  if (new Set(rows.map(({ atMs, jobName }) => `${atMs} ${jobName}`)).size > MAX_STATS_POINTS) {
    const hint = 'name fewer jobs in jobName, a later since, or a longer bucket';
    throw refuseMember('bucket', `makes more than ${MAX_STATS_POINTS} buckets with all jobs: ${hint}`);
  }
  const all = new Series();
  const byJob = new Map<string, Series>();
  for (const row of rows) {
    const own = byJob.get(row.jobName) ?? new Series();
    byJob.set(row.jobName, own);
    for (const series of [all, own]) series.add(row);
  }
  const names = [...byJob.keys()].sort();
  return {
    bucket,
    since: toIsoTime(sinceMs),
    asOf: toIsoTime(asOfMs),
    ...all.shown(),
    jobs: names.flatMap((name) => {
      const series = byJob.get(name);
      return series === undefined ? [] : [{ jobName: name, ...series.shown() }];
    }),
  };
}

function namesOf(jobName: string | readonly string[]): string[] {
  const names = [jobName].flat();
  const other = names.find((name) => typeof name !== 'string');
  if (other !== undefined)
    throw refuseMember('jobName', `must be a string or a list of strings, not ${shownValue(other)}`);
  return [...new Set(names.map((name) => name.toWellFormed()))];
}

function bucketOf(bucket: unknown) {
  const size = STATS_BUCKET_SIZES.find((each) => each === bucket);
  if (size !== undefined) return STATS_BUCKETS[size];
  throw refuseMember('bucket', `must be one of ${STATS_BUCKET_SIZES.join(', ')}, not ${shownValue(bucket)}`);
}

/** A text that is no duration is a time. */
function sinceOf(
  since: NonNullable<StatsQuery['since']>,
  { bucket, nowMs }: { readonly bucket: StatsBucketSize; readonly nowMs: number },
): StatsLook['since'] {
  const agoMs = durationOf(since);
  const atMs = agoMs === undefined ? timeOf(since) : nowMs - agoMs;
  const { spanMs, keptMs } = STATS_BUCKETS[bucket];
  const most = Math.min(MAX_STATS_BUCKETS * spanMs, keptMs);
  if (nowMs - atMs > most) {
    const reason = most === keptMs ? 'older ones are not kept' : `more than ${MAX_STATS_BUCKETS} buckets`;
    throw refuseMember('since', `must be at most ${shownSpan(most)} ago with bucket ${bucket}: ${reason}`);
  }
  return agoMs === undefined ? { atMs: Math.floor(atMs) } : { agoMs: Math.ceil(agoMs) };
}

function durationOf(since: NonNullable<StatsQuery['since']>): number | undefined {
  if (since instanceof Date || (typeof since === 'string' && !/^[\d.]+[a-z]+$/.test(since))) return undefined;
  return parseDuration('since', since);
}

function timeOf(since: unknown): number {
  try {
    return parseTime('since', since);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    const expected = `must be a time (a Date, or ISO 8601 with a time zone) or a duration such as '1h'`;
    throw refuseMember('since', `${expected}, not ${shownValue(since)}`);
  }
}

const HOUR_MS = 60 * 60 * 1000;

function shownSpan(ms: number): string {
  return ms % (24 * HOUR_MS) === 0 ? `${ms / (24 * HOUR_MS)}d` : `${ms / HOUR_MS}h`;
}

/** Numbers that grow. */
class Tally {
  #started = 0;
  #completed = 0;
  #failed = 0;
  #cancelled = 0;
  readonly #durations: Histogram = new Map();

  add({ started, completed, failed, cancelled }: StatsRow, durations: readonly [number, number][]): void {
    this.#started += started;
    this.#completed += completed;
    this.#failed += failed;
    this.#cancelled += cancelled;
    addTo(this.#durations, durations);
  }

  shown(): StatsNumbers {
    return {
      started: this.#started,
      completed: this.#completed,
      failed: this.#failed,
      cancelled: this.#cancelled,
      duration: quantilesOf(this.#durations),
    };
  }
}

/** Numbers by time. */
class Series {
  readonly #total = new Tally();
  readonly #byTime = new Map<number, Tally>();

  /** A bucket may come in several rows. */
  add(row: StatsRow): void {
    const bins = Object.entries(decodeJson(row.durations) as Record<string, number>);
    const durations = bins.map(([bin, count]): [number, number] => [Number(bin), count]);
    const bucket = this.#byTime.get(row.atMs) ?? new Tally();
    this.#byTime.set(row.atMs, bucket);
    for (const tally of [this.#total, bucket]) tally.add(row, durations);
  }

  shown(): StatsSeries {
    const times = [...this.#byTime].sort(([one], [other]) => one - other);
    return {
      total: this.#total.shown(),
      buckets: times.map(([atMs, tally]) => ({ at: toIsoTime(atMs), ...tally.shown() })),
    };
  }
}
