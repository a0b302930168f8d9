import type { Triggered, TriggerRequest } from '../../core/durably.ts';
import { parseRun, type Run } from '../../core/run.ts';
import type { Enqueued, NewRun } from '../../core/store.ts';
import { newRun } from '../jobs/new-run.ts';
import type { RunsDeps } from './runs-deps.ts';

type TriggerDeps = Pick<RunsDeps, 'store' | 'bus' | 'worker' | 'clock' | 'registry' | 'maxInputBytes'>;

/** @throws {NotFoundError} for an unknown job. @throws {ValidationError} for a bad input or option. */
export async function trigger(deps: TriggerDeps, request: TriggerRequest): Promise<Run> {
  return (await triggerForId(deps, request)).toRun();
}

/** {@link trigger} for callers that need only the id, and whether the run is new. */
export async function triggerForId(
  deps: TriggerDeps,
  { jobName, input, ...options }: TriggerRequest,
): Promise<Triggered> {
  const job = deps.registry.get(jobName);
  if (!job) throw deps.registry.notFound(jobName);
  const run = await newRun(job, { input, options }, deps.maxInputBytes);
  const { runId, disposition, toRun } = await storeRun(deps, run);
  return { runId, disposition, toRun: () => parseRun(toRun()) };
}

type StoreDeps = Pick<RunsDeps, 'store' | 'bus' | 'worker'>;

/** {@link storeRuns} for one run. */
export async function storeRun(deps: StoreDeps, run: NewRun): Promise<Enqueued> {
  const [only] = await storeRuns(deps, [run]);
  if (!only) throw new Error('a stored run was not returned');
  return only;
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
  if (runs.some(({ due }) => due === undefined)) worker.wake();
  const stored = await storing;
  const created = runs.flatMap((run, i) => (stored[i]?.disposition === 'created' ? [{ run, at: i }] : []));
  bus.publish(
    created.map(({ run: { id, jobName, due }, at }) => ({
      run: { runId: id, jobName },
      note: { type: 'run:trigger', data: due === undefined ? null : runAtOf(stored[at]) } as const,
    })),
  );
  for (const { run, at } of created) {
    if (run.due === undefined) continue;
    if (stored[at]?.toRun().status === 'waiting') worker.expectDueRun(run.due);
    else worker.wake();
  }
  return stored;
}

/** The data of a deferred run's `run:trigger`. Null if the run was due when it was stored. */
function runAtOf(stored: Enqueued | undefined): string | null {
  const until = stored?.toRun().waits[0]?.until;
  return until == null ? null : JSON.stringify({ runAt: until });
}
