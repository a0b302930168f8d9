import type { RunFilter } from '../core/lists/run-query.ts';
import type { Run } from '../core/run.ts';
import type { DurablyClient, TriggerAndWaitOptions } from './durably-client.ts';
import { dashed, type InputOf, type JobDefinitions, type OutputOf, type PayloadOf } from './job-types.ts';
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

type Methods = Pick<DurablyClient, 'trigger' | 'triggerAndWait' | 'batchTrigger' | 'run' | 'getRuns'>;

/** The jobs by their keys. The client does not have the definitions, so a job is made when it is asked for. */
export function jobsOf<TJobs extends JobDefinitions>(
  methods: Methods,
  jobNames: Readonly<Record<string, string>>,
): DurablyClient<TJobs>['jobs'] {
  const made = new Map<string, ClientJob>();
  const jobs: object = new Proxy(Object.freeze({}), {
    get(_, key) {
      // A promise that resolves with the jobs asks for `then`.
      if (typeof key !== 'string' || key === 'then') return undefined;
      const job = made.get(key) ?? createJob(methods, jobNames[key] ?? dashed(key));
      made.set(key, job);
      return job;
    },
  });
  // The types are those that the caller names.
  return jobs as DurablyClient<TJobs>['jobs'];
}

function createJob(
  { trigger, triggerAndWait, batchTrigger, run, getRuns }: Methods,
  name: string,
): ClientJob {
  return {
    name,
    trigger: (input, options, call) => trigger(name, input, options, call),
    triggerAndWait: (input, options) => triggerAndWait(name, input, options),
    batchTrigger: (triggers, call) => {
      const requests = triggers.map(({ input, options }) => ({ ...options, jobName: name, input }));
      return batchTrigger(requests, call);
    },
    run,
    getRuns: (filter, call) => getRuns({ ...filter, jobName: name }, call),
  };
}
