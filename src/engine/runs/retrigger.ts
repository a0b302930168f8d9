import { NotFoundError } from '../../core/errors/errors.ts';
import { newRunId } from '../../core/id.ts';
import { encodeLabels } from '../../core/labels.ts';
import { checkRunId, parseRun, type Run } from '../../core/run.ts';
import type { RunsDeps } from './runs-deps.ts';
import { storeRun } from './trigger.ts';

/**
 * Stores a fresh run like another: its job, payload, concurrency key and
 * labels. Not its idempotency key, which would give that very run back.
 *
 * @throws {NotFoundError} for an unknown run, and for one whose job this process doesn't know.
 */
export async function retrigger(
  deps: Pick<RunsDeps, 'store' | 'bus' | 'worker' | 'clock' | 'registry'>,
  runId: string,
): Promise<Run> {
  const run = await deps.store.getRun(checkRunId(runId));
  if (!run) throw new NotFoundError('Run not found');
  const { jobName, concurrencyKey } = run;
  if (!deps.registry.get(jobName)) throw deps.registry.notFound(jobName);
  const fresh = await storeRun(deps, {
    id: newRunId(),
    jobName,
    // As stored: it was parsed when it came in, and a schema that transforms need not take what it made.
    payload: run.payload.text,
    idempotencyKey: null,
    concurrencyKey,
    labels: encodeLabels(run.labels),
  });
  return parseRun(fresh.toRun());
}
