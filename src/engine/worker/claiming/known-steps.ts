import { type ClaimedRun, mayHaveSteps } from '../../../core/ownership/claim.ts';
import type { Store } from '../../../core/store.ts';

/** The steps of a run that has more are read by its execution, in portions. */
const MAX_STEPS = 200;

/**
 * Reads the steps and signals of the claimed runs, where they did not come with the claim. One read for all runs is much
 * faster than one for each. If it fails, each execution reads its own.
 */
export async function withKnownSteps(
  runs: readonly ClaimedRun[],
  store: Store,
): Promise<readonly ClaimedRun[]> {
  const unknown = runs.filter(
    (run) => run.steps === undefined && mayHaveSteps(run) && run.stepCount <= MAX_STEPS,
  );
  if (unknown.length === 0) return runs;
  const known = await store.listKnown(unknown.map(({ runId }) => runId)).catch(() => undefined);
  return runs.map((run) => ({ ...run, ...known?.get(run.runId) }));
}
