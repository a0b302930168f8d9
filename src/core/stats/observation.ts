import type { Overview } from './overview.ts';
import type { Stats, StatsQuery } from './stats.ts';
import type { WorkerInfo } from './worker-info.ts';

/** What an operator sees. A part of {@link DurablyService}. It costs the same with ten runs and with a million. */
export interface Observation {
  /**
   * How often runs were started, how they ended and how long they took, by time and by job.
   *
   * @throws {ValidationError} for a bad query, a time that is not kept any more, or more buckets than an answer holds.
   * @example
   * const { total, jobs } = await durably.getStats({ since: '1h', bucket: '1m' })
   * for (const { jobName, total } of jobs) console.log(jobName, total.failed, total.duration?.p95)
   */
  getStats(query?: StatsQuery): Promise<Stats>;
  /** The workers of all processes that were seen in the last hour, those that began first come first. */
  getWorkers(): Promise<WorkerInfo[]>;
  /** How many runs wait and run, how long the line has been waiting, and how large the database is. */
  getOverview(): Promise<Overview>;
}
