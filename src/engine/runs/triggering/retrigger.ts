import { NotFoundError } from '../../../core/errors/errors.ts';
import { newRunId } from '../../../core/id.ts';
import { checkRunId, parseRun, type Run } from '../../../core/run.ts';
import { encodeLabels } from '../../../core/triggers/labels.ts';
import { limitKeysOf } from '../../jobs/job-limits.ts';
import { openJson } from '../../plugins/codec.ts';
import type { RunsDeps } from '../runs-deps.ts';
import { storeRun } from './trigger.ts';

/**
 * Stores a new run with the job, payload, concurrency key and labels of another run. The idempotency
 * key is left out, because with it the old run would be returned.
 *
 * @throws {NotFoundError} for an unknown run, and for a run whose job this process does not know.
 * @throws {UnreadableError} if its input can't be decoded here.
 */
export async function retrigger(
  deps: Pick<RunsDeps, 'store' | 'bus' | 'worker' | 'clock' | 'registry' | 'plugins'>,
  runId: string,
): Promise<Run> {
  const run = await deps.store.getRun(checkRunId(runId));
  if (!run) throw new NotFoundError('Run not found');
  const { jobName, concurrencyKey } = run;
  const job = deps.registry.find(jobName);
  // As it is stored. It was parsed by the first trigger, and a schema that transforms its input may not
  // accept its own output.
  const payload = await openJson(deps.plugins.codec, run.payload.sealed ?? run.payload.text);
  const fresh = await storeRun(
    deps,
    {
      id: newRunId(),
      jobName,
      payload,
      idempotencyKey: null,
      concurrencyKey,
      labels: encodeLabels(run.labels),
      ...limitKeysOf(job, payload),
    },
    { kind: 'retrigger', sourceRunId: runId },
  );
  return parseRun(fresh.toRun());
}
