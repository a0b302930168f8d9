import type { ForkOptions } from '../core/durably.ts';
import type { JournalEvent } from '../core/events.ts';
import type { RunFilter, RunPage, RunSelection } from '../core/lists/run-query.ts';
import type { LogLine, LogQuery } from '../core/log-line.ts';
import type { JobInfo, JobsQuery } from '../core/managing/job-info.ts';
import type { BulkFilter, BulkResult } from '../core/managing/run-bulk.ts';
import type { RescheduleOptions } from '../core/managing/run-management.ts';
import type { Run, RunField } from '../core/run.ts';
import type { Schedule, ScheduleRequest } from '../core/schedules/schedule.ts';
import type { Signalled, SignalOptions } from '../core/signal.ts';
import type { Overview } from '../core/stats/overview.ts';
import type { Stats, StatsQuery } from '../core/stats/stats.ts';
import type { WorkerInfo } from '../core/stats/worker-info.ts';
import type { Step } from '../core/step.ts';
import type { Labels } from '../core/triggers/labels.ts';
import type { StreamOptions } from './event-stream.ts';
import type { ClientJob } from './job-handle.ts';
import type { JobDefinitions } from './job-types.ts';
import type { ClientRun } from './run-handle.ts';
import type { CallOptions } from './transport.ts';
import type {
  ClientTriggerOptions,
  ClientTriggerRequest,
  RefusedTrigger,
  TriggerAnswer,
} from './triggers.ts';
import type { WaitOptions } from './wait.ts';

/** An event in the stream of all runs, which has no log lines. */
export type ListedEvent = Exclude<JournalEvent, { readonly type: 'log:write' }>;

/** Which runs a stream is about. */
export interface RunListStreamOptions extends StreamOptions {
  /** Only runs of this job, or of one of these. */
  readonly jobName?: string | readonly string[] | undefined;
  /** Only runs that have all of these. */
  readonly labels?: Labels | undefined;
}

/** The new run of a retrigger, a fork or a fired schedule. */
export interface NewRunId {
  /** Its id. */
  readonly runId: string;
}

/** How long a ticket opens a stream. */
export interface StreamTicket {
  /** The value of the query parameter `ticket`. */
  readonly ticket: string;
  /** ISO 8601 UTC. */
  readonly expiresAt: string;
}

/** How one triggers a run and waits for it. */
export interface TriggerAndWaitOptions
  extends Omit<ClientTriggerOptions, 'timeout'>,
    Pick<WaitOptions, 'timeout' | 'signal' | 'onProgress'> {}

/**
 * A durably service, seen from elsewhere. Its methods have the names of the instance's. All of them reject with the classes of
 * `durably`, and with {@link ServiceUnavailableError} if the service can't be reached. Reads and triggers are sent up to five
 * times before that.
 */
export interface DurablyClient<TJobs extends JobDefinitions = JobDefinitions> {
  /**
   * The jobs by their keys, typed by their definitions.
   *
   * @example const { runId } = await client.jobs.importCsv.trigger({ file: 'airports.csv' })
   */
  readonly jobs: { readonly [K in keyof TJobs]: ClientJob<TJobs[K]> };

  /** One run, by its id. Asks the service nothing. @example const { output } = await client.run(runId).wait() */
  run(runId: string): ClientRun;

  /**
   * Triggers a run. It is stored when this resolves. If the connection breaks, it is sent again, and still makes one run.
   * But with `coalesce` or `debounce`, the key is not stored on a run that was found: if that run has ended by then, a
   * trigger that is sent again may make a second one.
   *
   * @throws {NotFoundError} for an unknown job. @throws {ValidationError} for a bad input or option.
   * @example const { runId } = await client.trigger('import-csv', { file: 'airports.csv' }, { priority: 5 })
   */
  trigger(
    jobName: string,
    input?: unknown,
    options?: ClientTriggerOptions,
    call?: CallOptions,
  ): Promise<TriggerAnswer>;
  /**
   * Triggers a run and waits for its output. `timeout` is how long it waits, in ms.
   *
   * @throws {RunEndedError} if the run fails, is cancelled or is deleted. @throws {TimeoutError} when the time is up.
   */
  triggerAndWait(
    jobName: string,
    input?: unknown,
    options?: TriggerAndWaitOptions,
  ): Promise<{ readonly id: string; readonly output: unknown }>;
  /**
   * Stores at most 1,000 runs of any jobs, or none if one of the triggers is invalid.
   *
   * @example await client.batchTrigger([{ jobName: 'greet', input: { name: 'Ada' } }, { jobName: 'greet', delay: '1h' }])
   */
  batchTrigger(
    requests: readonly ClientTriggerRequest[],
    call?: CallOptions,
  ): Promise<(TriggerAnswer | RefusedTrigger)[]>;
  /** Triggers a new run with the job, input, concurrency key and labels of another. @throws {NotFoundError} */
  retrigger(runId: string, call?: CallOptions): Promise<NewRunId>;
  /** {@link DurablyClient.retrigger}, but the steps before the step `from` are done already. @throws {NotFoundError} */
  fork(runId: string, options: ForkOptions, call?: CallOptions): Promise<NewRunId>;

  /** A run as it is now. Null for an unknown id. */
  getRun(runId: string, call?: CallOptions): Promise<Run | null>;
  /**
   * Runs, newest first: 100 unless `limit` says otherwise. With `fields`, only those fields of each.
   *
   * @example const failed = await client.getRuns({ status: 'failed', fields: ['id', 'error'] })
   */
  getRuns<F extends RunField>(filter: RunSelection<F>, call?: CallOptions): Promise<Pick<Run, F>[]>;
  getRuns(filter?: RunFilter, call?: CallOptions): Promise<Run[]>;
  /** {@link DurablyClient.getRuns} with the cursor of the page that follows. */
  getRunsPage<F extends RunField>(
    filter: RunSelection<F>,
    call?: CallOptions,
  ): Promise<RunPage<Pick<Run, F>>>;
  getRunsPage(filter?: RunFilter, call?: CallOptions): Promise<RunPage>;
  /**
   * All pages of a list of runs, each when it is asked for.
   *
   * @example for await (const runs of client.runPages({ jobName: 'greet' })) console.log(runs.length)
   */
  runPages<F extends RunField>(
    filter: RunSelection<F>,
    call?: CallOptions,
  ): AsyncIterableIterator<Pick<Run, F>[]>;
  runPages(filter?: RunFilter, call?: CallOptions): AsyncIterableIterator<Run[]>;
  /** Finished steps by index. @throws {NotFoundError} */
  getSteps(runId: string, call?: CallOptions): Promise<Step[]>;
  /** Log lines, oldest first. @throws {NotFoundError} */
  getLogs(query: LogQuery, call?: CallOptions): Promise<LogLine[]>;
  /** The events of one run, as {@link ClientRun.events} gives them. */
  runEvents(runId: string, options?: StreamOptions): AsyncIterableIterator<JournalEvent>;
  /**
   * The events of all runs from now on, without log lines. Resumes where a connection broke, and ends only when the signal
   * aborts, with its reason.
   *
   * @example for await (const event of client.events({ jobName: 'greet' })) console.log(event.type, event.runId)
   */
  events(options?: RunListStreamOptions): AsyncIterableIterator<ListedEvent>;

  /** Puts a failed or cancelled run back to pending. @throws {NotFoundError | ConflictError} */
  retry(runId: string, call?: CallOptions): Promise<void>;
  /** Cancels a run and the active runs below it. @throws {NotFoundError | ConflictError} */
  cancel(runId: string, call?: CallOptions): Promise<void>;
  /** Deletes a run that is over. @throws {NotFoundError | ConflictError} */
  deleteRun(runId: string, call?: CallOptions): Promise<void>;
  /** Sends a signal to an active run. @throws {NotFoundError | ConflictError | ValidationError} */
  signal(
    runId: string,
    name: string,
    payload?: unknown,
    options?: SignalOptions,
    call?: CallOptions,
  ): Promise<Signalled>;
  /** Gives a run that has not started another time. @throws {NotFoundError | ConflictError | ValidationError} */
  reschedule(runId: string, options: RescheduleOptions, call?: CallOptions): Promise<void>;
  /** Cancels the runs that match. @throws {ValidationError} for an empty filter without `all`. */
  cancelRuns(filter: BulkFilter, call?: CallOptions): Promise<BulkResult>;
  /** Retries the failed and cancelled runs that match, as {@link DurablyClient.cancelRuns} does. */
  retryRuns(filter: BulkFilter, call?: CallOptions): Promise<BulkResult>;
  /** Deletes the ended runs that match, as {@link DurablyClient.cancelRuns} does. */
  deleteRuns(filter: BulkFilter, call?: CallOptions): Promise<BulkResult>;

  /** The jobs of the service, by name. */
  getJobs(query?: JobsQuery, call?: CallOptions): Promise<JobInfo[]>;
  /** What happened to runs, by time and by job. @throws {ValidationError} */
  getStats(query?: StatsQuery, call?: CallOptions): Promise<Stats>;
  /** The workers of all processes that were seen in the last hour. */
  getWorkers(call?: CallOptions): Promise<WorkerInfo[]>;
  /** How many runs there are, how long the line has been waiting, and how large the database is. */
  getOverview(call?: CallOptions): Promise<Overview>;
  /** From now on no process claims a run of the job. @throws {NotFoundError} */
  pauseJob(jobName: string, call?: CallOptions): Promise<void>;
  /** Runs of a paused job are claimed again. @throws {NotFoundError} */
  resumeJob(jobName: string, call?: CallOptions): Promise<void>;

  /** All schedules, by id. */
  getSchedules(call?: CallOptions): Promise<Schedule[]>;
  /** Stores a schedule or changes it. @throws {ValidationError | NotFoundError | ConflictError} */
  schedule(request: ScheduleRequest, call?: CallOptions): Promise<Schedule>;
  /** Deletes a schedule. Its runs stay. @throws {NotFoundError | ConflictError} */
  deleteSchedule(id: string, call?: CallOptions): Promise<void>;
  /** No slot is fired from now on. @throws {NotFoundError} */
  pauseSchedule(id: string, call?: CallOptions): Promise<void>;
  /** Goes on with the next slot. @throws {NotFoundError} */
  resumeSchedule(id: string, call?: CallOptions): Promise<void>;
  /** Triggers a run of the schedule now, beside its slots. @throws {NotFoundError} */
  fireSchedule(id: string, call?: CallOptions): Promise<NewRunId>;

  /** Makes the service work its queue until it is idle or the time is up. Returns how many runs it took. */
  processUntilIdle(
    options?: { readonly timeoutMs?: number | undefined },
    call?: CallOptions,
  ): Promise<number>;
  /** A ticket by which a browser's `EventSource`, which can't send a key, opens a stream. Only for a service with keys. */
  createStreamTicket(runId?: string, call?: CallOptions): Promise<StreamTicket>;
}
