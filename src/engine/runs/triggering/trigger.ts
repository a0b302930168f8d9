import type { Triggered, TriggeredRun, TriggerOptions, TriggerRequest } from '../../../core/durably.ts';
import { IdempotencyKeyReusedError, ValidationError } from '../../../core/errors/errors.ts';
import { isSameJson } from '../../../core/json/same-json.ts';
import { parseRun, type Run } from '../../../core/run.ts';
import type { Disposition, Due, Enqueued, NewRun } from '../../../core/triggers/new-run.ts';
import type { CallerTransaction } from '../../../core/triggers/trigger-options.ts';
import { shownValue } from '../../../core/validation/shown-value.ts';
import type { Committed } from '../../events/event-bus.ts';
import type { JobDefinition } from '../../jobs/define-job.ts';
import { newRun } from '../../jobs/new-run.ts';
import { openJson } from '../../plugins/codec.ts';
import type { Plugins } from '../../plugins/plugins.ts';
import type { TriggerOrigin } from '../../plugins/triggering.ts';
import type { RunsDeps } from '../runs-deps.ts';
import { placed } from './placed.ts';
import { isPrepared, preparedRun, shownEnqueued } from './prepared-runs.ts';

type TriggerDeps = Pick<
  RunsDeps,
  'store' | 'bus' | 'worker' | 'clock' | 'registry' | 'plugins' | 'maxInputBytes'
>;

/** @throws {NotFoundError} for an unknown job. @throws {ValidationError} for a bad input or option. */
export async function trigger(deps: TriggerDeps, request: TriggerRequest): Promise<TriggeredRun> {
  const { disposition, toRun } = await triggerForId(deps, request);
  return withDisposition(toRun(), disposition);
}

/** {@link trigger} for callers that need only the id, and whether the run is new. */
export async function triggerForId(deps: TriggerDeps, request: TriggerRequest): Promise<Triggered> {
  if (typeof request !== 'object' || request === null) throw noRequest(request);
  const { jobName, input, ...options } = request;
  const job = deps.registry.find(jobName);
  return toTriggered(await triggerRun(job, { input, options }, deps));
}

/** The error for a trigger that is no object. */
export function noRequest(given: unknown): ValidationError {
  return new ValidationError(`A trigger must be given as an object with a jobName, not ${shownValue(given)}`);
}

/** Triggers a run of a job. @throws {ValidationError} for a bad input or option. @throws {IdempotencyKeyReusedError} */
export async function triggerRun(
  job: JobDefinition,
  { input, options }: { readonly input: unknown; readonly options?: TriggerOptions | undefined },
  deps: Omit<TriggerDeps, 'registry'>,
): Promise<Enqueued> {
  const run = await newRun(job, { input, options }, deps.maxInputBytes);
  const stored = await (options?.trx === undefined
    ? storeRun(deps, run)
    : storeRunIn(deps, options.trx, run));
  if (options?.idempotencyKeyReuse === 'refuse') await checkReuse(deps.plugins, { given: run, stored });
  return stored;
}

/**
 * Refuses a trigger whose idempotency key has a run with another input.
 *
 * @throws {IdempotencyKeyReusedError}
 * @throws {UnreadableError | PluginTimeoutError} if that input can't be decoded here, or now, so that nobody can tell.
 */
export async function checkReuse(
  { codec }: Pick<Plugins, 'codec'>,
  {
    given,
    stored: { disposition, toRun, keyedPayload },
  }: { readonly given: NewRun; readonly stored: Enqueued },
): Promise<void> {
  if (disposition !== 'idempotent') return;
  const { sealed, text } = toRun().payload;
  const earlier = await openJson(codec, keyedPayload ?? sealed ?? text);
  if (!isSameJson(earlier, given.payload)) throw new IdempotencyKeyReusedError();
}

export function toTriggered({ runId, disposition, toRun }: Enqueued): Triggered {
  return { runId, disposition, toRun: () => parseRun(toRun()) };
}

export function toTriggeredRun({ disposition, toRun }: Enqueued): TriggeredRun {
  return withDisposition(parseRun(toRun()), disposition);
}

export function withDisposition(run: Run, disposition: Disposition): TriggeredRun {
  return Object.defineProperty({ ...run }, 'disposition', { value: disposition }) as TriggeredRun;
}

type StoreDeps = Pick<RunsDeps, 'store' | 'bus' | 'worker' | 'plugins'>;

/** {@link storeRuns} for one run. */
export async function storeRun(deps: StoreDeps, run: NewRun, origin?: TriggerOrigin): Promise<Enqueued> {
  const [only] = await storeRuns(deps, [run], origin);
  if (!only) throw new Error('a stored run was not returned');
  return only;
}

/** Stores a run in a caller's transaction. It is published after the commit, and the worker wakes then. */
async function storeRunIn(deps: StoreDeps, transaction: CallerTransaction, run: NewRun): Promise<Enqueued> {
  const { plugins } = deps;
  const ready = isPrepared(plugins, [run]) ? await preparedRun(plugins, run, BY_CALLER) : run;
  let stored: Enqueued | undefined;
  const onCommit = () => {
    if (stored !== undefined) publishStored(deps, [run], [stored]);
    deps.worker.wake();
  };
  stored = await deps.store.enqueueIn(transaction, ready, { onCommit });
  return await shownEnqueued(plugins, stored, { given: run, ready });
}

const BY_CALLER: TriggerOrigin = { kind: 'trigger' };

/**
 * Stores all runs or none, and publishes the new ones. The worker's claim leaves in the same request
 * and takes them.
 */
export async function storeRuns(
  { store, bus, worker, plugins }: StoreDeps,
  runs: readonly NewRun[],
  origin: TriggerOrigin = BY_CALLER,
): Promise<Enqueued[]> {
  const ready = isPrepared(plugins, runs) ? await preparedRuns(plugins, runs, origin) : runs;
  const storing = store.enqueue(ready);
  // The worker's claim is requested after them, and leaves with them.
  if (runs.some((run) => dueOf(run) === undefined)) worker.wake();
  const stored = await storing;
  publishStored({ bus, worker }, runs, stored);
  if (plugins.codec === undefined) return stored;
  return await Promise.all(
    stored.map((each, i) => {
      const [given, prepared] = [runs[i], ready[i]];
      if (given === undefined || prepared === undefined) return each;
      return shownEnqueued(plugins, each, { given, ready: prepared });
    }),
  );
}

/** One after another: if one is refused, the plugins hear of none after it. */
async function preparedRuns(
  plugins: StoreDeps['plugins'],
  runs: readonly NewRun[],
  origin: TriggerOrigin,
): Promise<NewRun[]> {
  const prepared: NewRun[] = [];
  for (const [index, run] of runs.entries()) {
    try {
      prepared.push(await preparedRun(plugins, run, origin));
    } catch (error) {
      throw runs.length === 1 ? error : placed(error, index);
    }
  }
  return prepared;
}

/** Tells of stored runs, and looks for those of them that are due later. */
function publishStored(
  { bus, worker }: Pick<StoreDeps, 'bus' | 'worker'>,
  runs: readonly NewRun[],
  stored: readonly Enqueued[],
): void {
  const committed: Committed[] = [];
  const later: (() => void)[] = [];
  for (const [i, each] of stored.entries()) {
    const run = runs[i];
    const isPostponed = each.disposition === 'debounced';
    if (run === undefined || (each.disposition !== 'created' && !isPostponed)) continue;
    const due = dueOf(run);
    const type = isPostponed ? 'run:reschedule' : 'run:trigger';
    const data = due === undefined ? null : runAtOf(each);
    committed.push({ run: { runId: each.runId, jobName: run.jobName }, note: { type, data } });
    if (due === undefined) continue;
    const isWaiting = isPostponed || each.toRun().status === 'waiting';
    later.push(() => (isWaiting ? worker.expectDueRun(due) : worker.wake()));
  }
  bus.publish(committed);
  for (const look of later) look();
}

/** When the run is due, if that is later. */
function dueOf({ due, debounce }: NewRun): Due | undefined {
  return due ?? (debounce && { afterMs: debounce.delayMs });
}

/** The data of a deferred run's `run:trigger`. Null if the run was due when it was stored. */
function runAtOf({ toRun }: Enqueued): string | null {
  const until = toRun().waits[0]?.until;
  return until == null ? null : JSON.stringify({ runAt: until });
}
