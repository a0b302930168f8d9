import type { RunFeed, RunListFeed } from './feeds.ts';
import type { JsonPieces } from './json/json-text.ts';
import type { RunFilter, RunPage, RunSelection } from './lists/run-query.ts';
import type { LogLine, LogQuery } from './log-line.ts';
import type { RunManagement } from './managing/run-management.ts';
import type { Run, RunField } from './run.ts';
import type { Schedule, ScheduleRequest } from './schedules/schedule.ts';
import type { Signalled, SignalOptions } from './signal.ts';
import type { Observation } from './stats/observation.ts';
import type { Step } from './step.ts';
import type { Labels } from './triggers/labels.ts';
import type { Disposition } from './triggers/new-run.ts';
import type { TriggerOptions } from './triggers/trigger-options.ts';

export type { TriggerOptions };

/** A trigger by the name of a job. */
export interface TriggerRequest extends TriggerOptions {
  readonly jobName: string;
  readonly input: unknown;
}

/** Where a fork begins, and with what. */
export interface ForkOptions {
  /** The name of a step of the run: what was finished before it is done already. */
  readonly from: string;
  /** The input; that of the run unless given. */
  readonly input?: unknown;
}

/**
 * The run of a trigger, and whether it is a new one. `disposition` is not enumerable: a run that was triggered equals the same
 * run when it is read, and so does its JSON.
 */
export type TriggeredRun<TPayload = unknown, TOutput = unknown> = Run<TPayload, TOutput> & {
  readonly disposition: Disposition;
};

/** The result of a trigger: a new run, or one that was there already. */
export interface Triggered {
  readonly runId: string;
  readonly disposition: Disposition;
  /** The stored run. Parsed only when called, because most callers need only the id. */
  readonly toRun: () => Run;
}

/** The budget of a call that works the queue. */
export interface WorkOptions {
  /** How many runs to take at most. Default: no limit. */
  readonly maxRuns?: number | undefined;
  /**
   * After this time no more runs are claimed, and the running ones are handed back at their next
   * step; ms.
   */
  readonly timeoutMs?: number | undefined;
  /** Aborting it does the same. */
  readonly signal?: AbortSignal | undefined;
}

/** What is wrong with a database server. To a caller that writes, both look the same. */
export type DatabaseTrouble = 'database does not answer' | 'database takes no writes';

/** What an instance reports to a health check. */
export interface Health {
  /** Whether the database is migrated and takes writes without a long wait. */
  readonly database: boolean;
  /** Whether the worker is started and has not failed, or works on demand. */
  readonly worker: boolean;
  /** Why `database` is false, if that is known for a server. A server that takes no writes may need a restart. */
  readonly reason?: DatabaseTrouble | undefined;
}

/**
 * Reads that are passed on as JSON text, in pieces. The stored text is not parsed and
 * never in memory as a whole.
 */
export interface JsonReads {
  run(runId: string): Promise<JsonPieces | null>;
  /** @throws {ValidationError} for a bad filter. */
  runs(
    filter?: RunFilter & { readonly fields?: readonly RunField[] | undefined },
  ): Promise<{ readonly pieces: JsonPieces; readonly nextCursor: string | null }>;
  /** @throws {NotFoundError} */
  steps(runId: string): Promise<JsonPieces>;
  /** @throws {NotFoundError | ValidationError} */
  logs(query: LogQuery): Promise<JsonPieces>;
}

/** What the HTTP side needs of a durably instance. */
export interface DurablyService extends RunManagement, Observation {
  /**
   * Stores a run of the job with that name; it is durable once this resolves.
   *
   * @throws {NotFoundError} for an unknown job. @throws {ValidationError} for a bad input or key.
   * @example
   * const run = await durably.trigger({ jobName: 'greet', input: { name: 'Ada' }, idempotencyKey: 'ada' })
   */
  trigger(request: TriggerRequest): Promise<TriggeredRun>;
  /** {@link trigger} for callers that need only the id, and whether the run is new. */
  triggerForId(request: TriggerRequest): Promise<Triggered>;
  /**
   * Stores at most 1,000 runs of any jobs, or none if one of the triggers is refused. Returns them in the given order.
   *
   * @throws {NotFoundError} for an unknown job. @throws {ValidationError} for a bad input or option; its issues begin with the
   * place in the list.
   * @example
   * const runs = await durably.batchTrigger([
   *   { jobName: 'greet', input: { name: 'Ada' } },
   *   { jobName: 'greet', input: { name: 'Grace' }, delay: '1h' },
   * ])
   */
  batchTrigger(requests: readonly TriggerRequest[]): Promise<TriggeredRun[]>;
  /** {@link batchTrigger} for callers that need only the ids, and which runs are new. */
  batchTriggerForIds(requests: readonly TriggerRequest[]): Promise<Triggered[]>;
  /**
   * Triggers a new run with the job, payload, concurrency key and labels of another run, whatever
   * its status.
   *
   * @throws {NotFoundError} for an unknown run or job.
   */
  retrigger(runId: string): Promise<Run>;
  /**
   * Triggers a new run with the job, concurrency key and labels of another run, whatever its status. The steps that the other run
   * finished before the step `from` are done already. The new run has the job's current version.
   *
   * @throws {NotFoundError} for an unknown run, job or step. @throws {ValidationError} for a bad input.
   * @example const again = await durably.fork(runId, { from: 'charge the card' })
   */
  fork(runId: string, options: ForkOptions): Promise<Run>;
  /** A run as it is now. Null for an unknown id. */
  getRun(runId: string): Promise<Run | null>;
  /**
   * Runs, newest first. With `fields`, only those fields of each run.
   * @throws {ValidationError} for a bad filter.
   * @example
   * const failed = await durably.getRuns({ status: 'failed', limit: 10 })
   * const ids = await durably.getRuns({ jobName: 'greet', fields: ['id', 'status'] })
   */
  getRuns<F extends RunField>(filter: RunSelection<F>): Promise<Pick<Run, F>[]>;
  getRuns(filter?: RunFilter): Promise<Run[]>;
  /**
   * {@link getRuns} with the cursor of the page that follows.
   *
   * @throws {ValidationError} for a bad filter.
   * @example
   * const first = await durably.getRunsPage({ limit: 50 })
   * const second = await durably.getRunsPage({ limit: 50, cursor: first.nextCursor ?? undefined })
   */
  getRunsPage(filter?: RunFilter): Promise<RunPage>;
  /** Finished steps by index. @throws {NotFoundError} */
  getSteps(runId: string): Promise<Step[]>;
  /** Log lines, oldest first. @throws {NotFoundError | ValidationError} */
  getLogs(query: LogQuery): Promise<LogLine[]>;
  /** Puts a failed or cancelled run back to pending; finished steps keep their results. @throws {NotFoundError | ConflictError} */
  retry(runId: string): Promise<void>;
  /**
   * Sends a signal to an active run. Each signal is taken by one `step.waitForSignal` of its name,
   * the first signal first. It is kept until then, even if the run has not begun.
   *
   * @param name 1 to 1,024 UTF-16 units.
   * @param payload what JSON can hold. Default: null.
   * @throws {ConflictError} if the run is over, has 1,000 signals that no step has taken, or has got another signal with
   * the `signalId`.
   * @throws {NotFoundError | ValidationError}
   * @example await durably.signal(runId, 'approval', { ok: true }, { signalId: 'mail-7' })
   */
  signal(runId: string, name: string, payload?: unknown, options?: SignalOptions): Promise<Signalled>;
  /** Cancels a pending, waiting or running run and the active runs below it, and aborts their steps. @throws {NotFoundError | ConflictError} */
  cancel(runId: string): Promise<void>;
  /** Deletes a run that is over, with its steps, log lines and events. @throws {NotFoundError | ConflictError} */
  deleteRun(runId: string): Promise<void>;
  /**
   * From now on no process claims a run of the job. Triggers are accepted, and running runs go on. Does nothing if it is paused.
   *
   * @throws {NotFoundError} for an unknown job.
   */
  pauseJob(jobName: string): Promise<void>;
  /** Runs of a paused job are claimed again. @throws {NotFoundError} for an unknown job. */
  resumeJob(jobName: string): Promise<void>;
  /**
   * Stores a schedule: workers trigger runs of the job at its slots, one for each slot. Put again, it is changed, and no
   * slot that is over is made up for. If it is the same, nothing changes.
   *
   * @throws {ValidationError} that names the bad member and its value. @throws {NotFoundError} for an unknown job.
   * @throws {ConflictError} for the schedule of a job's definition.
   * @example
   * await durably.schedule({
   *   id: 'nightly',
   *   jobName: 'greet',
   *   input: { name: 'Ada' },
   *   cron: '30 2 * * *',
   *   timezone: 'Europe/Berlin',
   * })
   */
  schedule(request: ScheduleRequest): Promise<Schedule>;
  /** All schedules, by id. */
  getSchedules(): Promise<Schedule[]>;
  /** Its runs stay. @throws {NotFoundError} @throws {ConflictError} for the schedule of a job's definition. */
  deleteSchedule(id: string): Promise<void>;
  /** No slot is fired from now on. Does nothing if it is paused. @throws {NotFoundError} */
  pauseSchedule(id: string): Promise<void>;
  /** Goes on with the next slot. Those of the pause are not made up for. @throws {NotFoundError} */
  resumeSchedule(id: string): Promise<void>;
  /** Triggers a run of the schedule now, in addition to its slots. It may be paused, and its `overlap` does not count. @throws {NotFoundError} */
  fireSchedule(id: string): Promise<Run>;
  /** A run's events after a sequence. Default: from its first event on. */
  openRunFeed(runId: string, from?: { after?: number | undefined }): Promise<RunFeed>;
  /** The `run:*` and `step:*` events of all runs, or of the runs of these jobs. Default: from now on. */
  openRunListFeed(from?: {
    after?: number | undefined;
    jobNames?: readonly string[] | undefined;
    /** Only of runs that have all of these. */
    labels?: Labels | undefined;
  }): Promise<RunListFeed>;
  /**
   * Executes runs until no claimable run is left, including runs of vanished workers. The worker
   * need not be started; if it is, both share the slots. Returns how many runs it took.
   *
   * When the budget is used up it claims nothing more. Steps that are running finish and
   * are stored. Their runs are then handed back, for the next call or another worker to
   * continue; a started worker keeps them instead.
   *
   * @example const processed = await durably.processUntilIdle({ timeoutMs: 20_000 })
   * @throws {ValidationError} for a bad option.
   * @throws {DatabaseUnavailableError} if a claim fails.
   * @throws {ConflictError} inside a job, whose run it would wait for.
   */
  processUntilIdle(options?: WorkOptions): Promise<number>;
  /** Whether the instance can work. Never rejects. */
  health(): Promise<Health>;
  /** Reads whose answers are JSON text already. */
  readonly asJson: JsonReads;
}
