import type { ForkOptions } from '../core/durably.ts';
import type { JournalEvent } from '../core/events.ts';
import type { LogLine, LogQuery } from '../core/log-line.ts';
import type { RescheduleOptions } from '../core/managing/run-management.ts';
import type { Run } from '../core/run.ts';
import type { Signalled, SignalOptions } from '../core/signal.ts';
import type { Step } from '../core/step.ts';
import type { DurablyClient, NewRunId } from './durably-client.ts';
import type { StreamOptions } from './event-stream.ts';
import type { CallOptions, Transport } from './transport.ts';
import { type WaitOptions, waitForRun } from './wait.ts';

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

type Methods = Omit<DurablyClient, 'jobs' | 'run'>;

/** The methods of a client for one run. */
export function runOf(runId: string, client: Methods, transport: Transport): ClientRun {
  return {
    id: runId,
    get: (call) => client.getRun(runId, call),
    wait: (options) =>
      waitForRun(transport, {
        ...options,
        runId,
        firstTry: 'bounded',
        getRun: (signal) => client.getRun(runId, { signal }),
      }),
    events: (options) => client.runEvents(runId, options),
    steps: (call) => client.getSteps(runId, call),
    logs: (query, call) => client.getLogs({ ...query, runId }, call),
    cancel: (call) => client.cancel(runId, call),
    retry: (call) => client.retry(runId, call),
    retrigger: (call) => client.retrigger(runId, call),
    fork: (options, call) => client.fork(runId, options, call),
    signal: (name, payload, options, call) => client.signal(runId, name, payload, options, call),
    reschedule: (options, call) => client.reschedule(runId, options, call),
    delete: (call) => client.deleteRun(runId, call),
  };
}
