import type { Triggered, TriggeredRun, TriggerOptions, TriggerRequest } from '../../../core/durably.ts';
import { IdempotencyKeyReusedError } from '../../../core/errors/errors.ts';
import { isSameJson } from '../../../core/json/same-json.ts';
import { parseRun, type Run } from '../../../core/run.ts';
import type { Disposition, Due, Enqueued, NewRun } from '../../../core/triggers/new-run.ts';
import type { CallerTransaction } from '../../../core/triggers/trigger-options.ts';
import type { JobDefinition } from '../../jobs/define-job.ts';
import { newRun } from '../../jobs/new-run.ts';
import type { RunsDeps } from '../runs-deps.ts';

type TriggerDeps = Pick<RunsDeps, 'store' | 'bus' | 'worker' | 'clock' | 'registry' | 'maxInputBytes'>;

/** @throws {NotFoundError} for an unknown job. @throws {ValidationError} for a bad input or option. */
export async function trigger(deps: TriggerDeps, request: TriggerRequest): Promise<TriggeredRun> {
  const { disposition, toRun } = await triggerForId(deps, request);
  return withDisposition(toRun(), disposition);
}

/** {@link trigger} for callers that need only the id, and whether the run is new. */
export async function triggerForId(
  deps: TriggerDeps,
  { jobName, input, ...options }: TriggerRequest,
): Promise<Triggered> {
  const job = deps.registry.find(jobName);
  return toTriggered(await triggerRun(job, { input, options }, deps));
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
  checkReuse(run, stored, options);
  return stored;
}

/** @throws {IdempotencyKeyReusedError} if the key has a run with another input, and the trigger refuses that. */
export function checkReuse(
  { payload }: NewRun,
  { disposition, toRun, keyedPayload }: Enqueued,
  options: TriggerOptions | undefined,
): void {
  if (options?.idempotencyKeyReuse !== 'refuse' || disposition !== 'idempotent') return;
  if (!isSameJson(keyedPayload ?? toRun().payload.text, payload)) throw new IdempotencyKeyReusedError();
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

type StoreDeps = Pick<RunsDeps, 'store' | 'bus' | 'worker'>;

/** {@link storeRuns} for one run. */
export async function storeRun(deps: StoreDeps, run: NewRun): Promise<Enqueued> {
  const [only] = await storeRuns(deps, [run]);
  if (!only) throw new Error('a stored run was not returned');
  return only;
}

/** Stores a run in a caller's transaction. It is published after the commit, and the worker wakes then. */
async function storeRunIn(deps: StoreDeps, transaction: CallerTransaction, run: NewRun): Promise<Enqueued> {
  let stored: Enqueued | undefined;
  const onCommit = () => {
    if (stored !== undefined) publishStored(deps, [run], [stored]);
    deps.worker.wake();
  };
  stored = await deps.store.enqueueIn(transaction, run, { onCommit });
  return stored;
}

/**
 * Stores all runs or none, and publishes the new ones. The worker's claim leaves in the same request
 * and takes them.
 */
export async function storeRuns(
  { store, bus, worker }: StoreDeps,
  runs: readonly NewRun[],
): Promise<Enqueued[]> {
  const storing = store.enqueue(runs);
  // The worker's claim is requested after them, and leaves with them.
  if (!runs.every(isLater)) worker.wake();
  const stored = await storing;
  publishStored({ bus, worker }, runs, stored);
  return stored;
}

/** Tells of stored runs. */
function publishStored(
  { bus, worker }: Pick<StoreDeps, 'bus' | 'worker'>,
  runs: readonly NewRun[],
  stored: readonly Enqueued[],
): void {
  const created = runs.flatMap((run, i) => (stored[i]?.disposition === 'created' ? [{ run, at: i }] : []));
  bus.publish(
    created.map(({ run, at }) => ({
      run: { runId: run.id, jobName: run.jobName },
      note: { type: 'run:trigger', data: isLater(run) ? runAtOf(stored[at]) : null } as const,
    })),
  );
  for (const { run, at } of created) {
    const due = dueOf(run);
    if (due === undefined) continue;
    if (stored[at]?.toRun().status === 'waiting') worker.expectDueRun(due);
    else worker.wake();
  }
  for (const [i, { runId, disposition }] of stored.entries()) {
    const run = runs[i];
    if (disposition !== 'debounced' || run?.debounce === undefined) continue;
    const note = { type: 'run:reschedule', data: runAtOf(stored[i]) } as const;
    bus.publish([{ run: { runId, jobName: run.jobName }, note }]);
    worker.expectDueRun({ afterMs: run.debounce.delayMs });
  }
}

/** When the run is due, if that is later. */
function dueOf({ due, debounce }: NewRun): Due | undefined {
  return due ?? (debounce && { afterMs: debounce.delayMs });
}

function isLater(run: NewRun): boolean {
  return dueOf(run) !== undefined;
}

/** The data of a deferred run's `run:trigger`. Null if the run was due when it was stored. */
function runAtOf(stored: Enqueued | undefined): string | null {
  const until = stored?.toRun().waits[0]?.until;
  return until == null ? null : JSON.stringify({ runAt: until });
}
