import type { ForkOptions } from '../core/durably.ts';
import type { JournalEvent } from '../core/events.ts';
import type { RescheduleOptions } from '../core/managing/run-management.ts';
import type { Run } from '../core/run.ts';
import type { Signalled, SignalOptions } from '../core/signal.ts';
import type { LogLine, LogQuery, Step } from '../core/step.ts';
import type { NewRunId } from './durably-client.ts';
import type { StreamOptions } from './event-stream.ts';
import type { CallOptions } from './transport.ts';
import type { WaitOptions } from './wait.ts';

/** One run of a service. */
export interface ClientRun<TPayload = unknown, TOutput = unknown> {
  /** Its id. */
  readonly id: string;
  /** The run as it is now. Null if there is none with the id. */
  get(call?: CallOptions): Promise<Run<TPayload, TOutput> | null>;
  /**
   * Waits until the run is completed, through retries, broken connections and restarts of the service.
   *
   * @throws {RunEndedError} if it failed, was cancelled or was deleted. @throws {TimeoutError} when the time is up: the run
   * goes on. @throws {NotFoundError} for an unknown run.
   * @example
   * const { output } = await client.run(runId).wait({
   *   timeout: 60_000,
   *   onProgress: ({ current, total }) => console.log(current, total),
   * })
   */
  wait(options?: WaitOptions): Promise<Run<TPayload, TOutput> & { readonly output: TOutput }>;
  /**
   * The run's events, from the first one unless `after` is given, until the run ends. Resumes where a connection broke, with
   * any instance of the service: no event is missing, and none comes twice.
   *
   * @throws {NotFoundError} for an unknown run. The signal's reason when it aborts.
   * @example for await (const event of client.run(runId).events()) console.log(event.type)
   */
  events(options?: StreamOptions): AsyncIterableIterator<JournalEvent>;
  /** Its finished steps by index. @throws {NotFoundError} */
  steps(call?: CallOptions): Promise<Step[]>;
  /** Its log lines, oldest first. @throws {NotFoundError} */
  logs(query?: Omit<LogQuery, 'runId'>, call?: CallOptions): Promise<LogLine[]>;
  /** Cancels it and the active runs below it. @throws {NotFoundError | ConflictError} */
  cancel(call?: CallOptions): Promise<void>;
  /** Puts it back to pending if it failed or was cancelled. @throws {NotFoundError | ConflictError} */
  retry(call?: CallOptions): Promise<void>;
  /** Triggers a new run with its job, input, concurrency key and labels. @throws {NotFoundError} */
  retrigger(call?: CallOptions): Promise<NewRunId>;
  /** Triggers a new run in which the steps before the step `from` are done already. @throws {NotFoundError} */
  fork(options: ForkOptions, call?: CallOptions): Promise<NewRunId>;
  /** Sends it a signal. @throws {NotFoundError | ConflictError | ValidationError} */
  signal(name: string, payload?: unknown, options?: SignalOptions, call?: CallOptions): Promise<Signalled>;
  /** Gives it another time if it has not started. @throws {NotFoundError | ConflictError | ValidationError} */
  reschedule(options: RescheduleOptions, call?: CallOptions): Promise<void>;
  /** Deletes it if it is over. @throws {NotFoundError | ConflictError} */
  delete(call?: CallOptions): Promise<void>;
}
