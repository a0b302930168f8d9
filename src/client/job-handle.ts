import type { Run, RunFilter } from '../core/run.ts';
import type { TriggerAndWaitOptions } from './durably-client.ts';
import type { InputOf, OutputOf, PayloadOf } from './job-types.ts';
import type { ClientRun } from './run-handle.ts';
import type { CallOptions } from './transport.ts';
import type { ClientTriggerOptions, RefusedTrigger, TriggerAnswer } from './triggers.ts';

/** The options of an element of a batch. */
type BatchOptions = Omit<ClientTriggerOptions, 'idempotencyKeyReuse'>;

/** Triggers and reads the runs of one job. */
export interface ClientJob<TJob = unknown> {
  /** The name of the job. */
  readonly name: string;
  /**
   * Triggers a run. It is stored when this resolves.
   *
   * @throws {ValidationError} for a bad input or option. @throws {NotFoundError} if the service has no such job.
   */
  trigger(input: InputOf<TJob>, options?: ClientTriggerOptions, call?: CallOptions): Promise<TriggerAnswer>;
  /**
   * Triggers a run and waits for its output. `timeout` is how long it waits, in ms.
   *
   * @throws {RunEndedError} if the run fails, is cancelled or is deleted. @throws {TimeoutError} when the time is up.
   */
  triggerAndWait(
    input: InputOf<TJob>,
    options?: TriggerAndWaitOptions,
  ): Promise<{ readonly id: string; readonly output: OutputOf<TJob> }>;
  /** Stores a run for each element, or none if an input is invalid. */
  batchTrigger(
    triggers: readonly { readonly input: InputOf<TJob>; readonly options?: BatchOptions | undefined }[],
    call?: CallOptions,
  ): Promise<(TriggerAnswer | RefusedTrigger)[]>;
  /** One of this job's runs, by its id. Asks the service nothing. */
  run(runId: string): ClientRun<PayloadOf<TJob>, OutputOf<TJob>>;
  /** This job's runs, newest first. */
  getRuns(
    filter?: Omit<RunFilter, 'jobName'>,
    call?: CallOptions,
  ): Promise<Run<PayloadOf<TJob>, OutputOf<TJob>>[]>;
}
