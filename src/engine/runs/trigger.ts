import type { Triggered, TriggerRequest } from '../../core/durably.ts';
import { parseRun, type Run } from '../../core/run.ts';
import type { Enqueued, NewRun } from '../../core/store.ts';
import { newRun } from './new-run.ts';
import type { RunsDeps } from './runs-deps.ts';

type TriggerDeps = Pick<RunsDeps, 'store' | 'bus' | 'worker' | 'registry' | 'maxInputBytes'>;

/** @throws {NotFoundError} for an unknown job. @throws {ValidationError} for a bad input or option. */
export async function trigger(deps: TriggerDeps, request: TriggerRequest): Promise<Run> {
  return (await triggerForId(deps, request)).toRun();
}

/** {@link trigger} for those who need no more than the id, and whether the run is new. */
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

/** {@link storeRuns} of one. */
export async function storeRun(deps: StoreDeps, run: NewRun): Promise<Enqueued> {
  const [only] = await deps.store.enqueue([run]);
  if (!only) throw new Error('a stored run was not returned');
  if (only.disposition === 'created') tellCreated([run], deps);
  return only;
}

/** Stores all runs or none. Those that are new are published, and the worker is woken for them. */
export async function storeRuns(deps: StoreDeps, runs: readonly NewRun[]): Promise<Enqueued[]> {
  const stored = await deps.store.enqueue(runs);
  const created = runs.filter((_, i) => stored[i]?.disposition === 'created');
  if (created.length > 0) tellCreated(created, deps);
  return stored;
}

function tellCreated(runs: readonly NewRun[], { bus, worker }: Omit<StoreDeps, 'store'>): void {
  const note = { type: 'run:trigger' } as const;
  bus.publish(runs.map(({ id, jobName }) => ({ run: { runId: id, jobName }, note })));
  worker.wake();
}
