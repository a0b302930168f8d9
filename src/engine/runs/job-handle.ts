import type { TriggeredRun, TriggerOptions } from '../../core/durably.ts';
import { ValidationError } from '../../core/errors/errors.ts';
import type { RunFilter } from '../../core/lists/run-query.ts';
import { checkRunId, parseRun, type Run } from '../../core/run.ts';
import { currentRun } from '../../core/run-context.ts';
import { checkMembers, type MembersOf } from '../../core/validation/known-names.ts';
import { shownValue } from '../../core/validation/shown-value.ts';
import type { JobDefinition } from '../jobs/define-job.ts';
import { checkBatchSize, newRun, newRunOfBatch, type ParsedTrigger, parseTrigger } from '../jobs/new-run.ts';
import { TRIGGER_OPTIONS } from '../jobs/trigger-options.ts';
import type { RunWait } from '../worker/slots/run-waits.ts';
import { readRuns } from './reads.ts';
import type { RunsDeps } from './runs-deps.ts';
import { batchItems } from './triggering/batch-items.ts';
import { checkReuse, storeRun, storeRuns, toTriggeredRun, triggerRun } from './triggering/trigger.ts';
import { waitForOutput } from './wait-for-run.ts';

/** Triggers and reads the runs of one job. */
export interface JobHandle<
  TName extends string = string,
  TInput = unknown,
  TPayload = unknown,
  TOutput = unknown,
> {
  /** The name of the job. */
  readonly name: TName;

  /**
   * Stores a run. The run is durable once this resolves.
   *
   * @throws {ValidationError} for a bad input or key. No run is created then.
   */
  trigger(input: TInput, options?: TriggerOptions): Promise<TriggeredRun<TPayload, TOutput>>;

  /**
   * Triggers a run and waits for its output, whichever process executes it. `timeout` is how long it
   * waits, in ms; the run's own is its job's.
   * Inside a job, the waiting run keeps its slot and its concurrency key.
   *
   * @throws {RunEndedError} if the run fails, is cancelled or is deleted.
   * @throws {TimeoutError} when the time is up. The run continues.
   * @throws {ConflictError} inside a job, if it would wait forever: no slot of this worker, or the
   * concurrency key, would become free before the calling run ends.
   */
  triggerAndWait(
    input: TInput,
    options?: Omit<TriggerOptions, 'timeout' | 'trx'> & { readonly timeout?: number | undefined },
  ): Promise<{ id: string; output: TOutput }>;

  /**
   * Stores all runs, or none if any input is bad, and returns them in the given order. An element
   * with exactly the key `input`, or the keys `input` and `options`, is read as such. An element
   * with `input` beside the name of an option is refused. If a job's input looks like that, wrap it
   * in another `input`.
   */
  batchTrigger(
    inputs: readonly (TInput | { readonly input: TInput; readonly options?: TriggerOptions | undefined })[],
  ): Promise<TriggeredRun<TPayload, TOutput>[]>;

  /** One of this job's runs. Null for a run of another job. */
  getRun(runId: string): Promise<Run<TPayload, TOutput> | null>;
  /** This job's runs, newest first. */
  getRuns(filter?: Omit<RunFilter, 'jobName'>): Promise<Run<TPayload, TOutput>[]>;
}

type HandleDeps = Pick<RunsDeps, 'store' | 'bus' | 'feed' | 'worker' | 'clock' | 'plugins' | 'maxInputBytes'>;

type WaitOptions = NonNullable<Parameters<JobHandle['triggerAndWait']>[1]>;

const { trx: _trx, ...STORED_AT_ONCE } = TRIGGER_OPTIONS;
const WAIT_OPTIONS: MembersOf<WaitOptions> = {
  ...STORED_AT_ONCE,
  timeout: true,
};

/** A handle has only the runs of its job, so its filter has no `jobName`. */
const HANDLE_FILTER: MembersOf<NonNullable<Parameters<JobHandle['getRuns']>[0]>> = {
  status: true,
  parentRunId: true,
  createdAfter: true,
  createdBefore: true,
  q: true,
  scheduleId: true,
  labels: true,
  limit: true,
  offset: true,
  cursor: true,
};

/** The handle of a registered job. */
export function createJobHandle(job: JobDefinition, deps: HandleDeps): JobHandle {
  const handle: JobHandle = {
    name: job.name,
    async trigger(input, options) {
      return toTriggeredRun(await triggerRun(job, { input, options }, deps));
    },
    triggerAndWait(input, options) {
      const ended = triggerAndWait(job, { input, options }, deps);
      // If a job does not await it, its failure must not end the process.
      if (currentRun() !== undefined) ended.catch(() => undefined);
      return ended;
    },
    async batchTrigger(inputs, ...rest: unknown[]) {
      if (rest.some((each) => each !== undefined)) {
        throw new ValidationError('batchTrigger takes one list: options belong to its elements');
      }
      const items = batchItems(inputs, Object.keys(TRIGGER_OPTIONS));
      const parsed = await Promise.all(items.map((item) => parseTrigger(job, item)));
      const runs = checkBatchSize(madeRuns(job, parsed, deps.maxInputBytes));
      return (await storeRuns(deps, runs)).map(toTriggeredRun);
    },
    async getRun(runId) {
      const run = await deps.store.getRun(checkRunId(runId));
      return run?.jobName === job.name ? parseRun(run) : null;
    },
    async getRuns(filter = {}) {
      checkMembers('filter member', filter, HANDLE_FILTER);
      return (await readRuns(deps.store, { ...filter, jobName: job.name })).runs;
    },
  };
  return Object.freeze(handle);
}

/** One after another, because all of them together may be too large. */
function* madeRuns(job: JobDefinition, triggers: readonly ParsedTrigger[], maxBytes: number) {
  for (const trigger of triggers) yield newRunOfBatch(job, trigger, maxBytes);
}

async function triggerAndWait(
  job: JobDefinition,
  { input, options: given = {} }: { readonly input: unknown; readonly options: WaitOptions | undefined },
  deps: HandleDeps,
): Promise<{ id: string; output: unknown }> {
  checkMembers('triggerAndWait option', given, WAIT_OPTIONS);
  const { timeout, ...options } = given;
  checkTimeout(timeout);
  const fresh = await newRun(job, { input, options }, deps.maxInputBytes);
  // A run may be there already. It may have ended, or be running, and then needs no slot.
  const mayExist =
    fresh.idempotencyKey !== null || fresh.coalesce !== undefined || fresh.debounce !== undefined;
  let wait: RunWait | undefined;
  try {
    const { id: runId, concurrencyKey } = fresh;
    if (!mayExist) wait = deps.worker.beginWait({ runId, concurrencyKey, needsSlot: true });
    const enqueued = await storeRun(deps, fresh);
    if (options.idempotencyKeyReuse === 'refuse')
      await checkReuse(deps.plugins, { given: fresh, stored: enqueued });
    const run = enqueued.toRun();
    if (mayExist && run.isActive) {
      const needsSlot = run.status !== 'running';
      wait = deps.worker.beginWait({ runId: run.id, concurrencyKey: run.concurrencyKey, needsSlot });
    }
    const { callerStopped } = wait ?? {};
    const output = await waitForOutput({ runId: run.id, timeoutMs: timeout, callerStopped }, deps);
    return { id: run.id, output };
  } finally {
    wait?.end();
  }
}

function checkTimeout(timeout: unknown): void {
  if (timeout === undefined) return;
  if (typeof timeout !== 'number' || !Number.isFinite(timeout) || timeout < 0) {
    throw new ValidationError(`timeout must be a number of ms, not ${shownValue(timeout)}`);
  }
}
