import type { TriggerOptions } from '../triggers/trigger-options.ts';
import type { JobInfo, JobsQuery } from './job-info.ts';
import type { PurgeOptions } from './retention.ts';
import type { BulkFilter, BulkOptions, BulkResult } from './run-bulk.ts';

/** When a run is to be executed: one of both. */
export interface RescheduleOptions {
  /** Then: a Date, or an ISO 8601 text with a time zone. A time that is over means now. */
  readonly runAt?: TriggerOptions['runAt'];
  /** After so long. 0 means now. */
  readonly delay?: TriggerOptions['delay'];
}

/** What callers do to many runs, and to runs that have not started. A part of {@link DurablyService}. */
export interface RunManagement {
  /**
   * Cancels the runs that match, the newest first, and the active runs below them. A filter without members is refused, unless it
   * has `all: true`. Only pending, waiting and running runs are meant.
   *
   * @throws {ValidationError} for a bad or empty filter.
   * @example
   * let more = true
   * while (more) ({ more } = await durably.cancelRuns({ labels: { tenant: 'a' } }))
   */
  cancelRuns(filter: BulkFilter, options?: BulkOptions): Promise<BulkResult>;
  /** Retries the failed and cancelled runs that match, as {@link RunManagement.cancelRuns} does. */
  retryRuns(filter: BulkFilter, options?: BulkOptions): Promise<BulkResult>;
  /** Deletes the ended runs that match, as {@link RunManagement.cancelRuns} does. */
  deleteRuns(filter: BulkFilter, options?: BulkOptions): Promise<BulkResult>;
  /**
   * The jobs that are registered here, by name: their schemas, their limits, and how many runs they have in each status.
   *
   * @throws {ValidationError} for a bad option.
   */
  getJobs(query?: JobsQuery): Promise<JobInfo[]>;
  /**
   * Gives a run that has not started another time: later, sooner, or now. Its ttl counts from that time.
   *
   * @throws {ConflictError} if it has started. @throws {NotFoundError | ValidationError}
   * @example await durably.reschedule(runId, { delay: '2h' })
   */
  reschedule(runId: string, options: RescheduleOptions): Promise<void>;
  /**
   * Deletes runs that ended long ago, with their steps, log lines and events. A run is kept while one that its steps started is
   * active.
   *
   * @throws {ValidationError} for a bad option.
   * @example const { count, more } = await durably.purgeRuns({ olderThan: '30d', status: 'completed' })
   */
  purgeRuns(options: PurgeOptions): Promise<BulkResult>;
}
