import type { Triggered, TriggeredRun, TriggerRequest } from '../../../core/durably.ts';
import { ValidationError } from '../../../core/errors/errors.ts';
import type { NewRun } from '../../../core/triggers/new-run.ts';
import { shownValue } from '../../../core/validation/shown-value.ts';
import { checkBatchSize, newRunOfBatch, parseTrigger } from '../../jobs/new-run.ts';
import type { RunsDeps } from '../runs-deps.ts';
import { placed } from './placed.ts';
import { noRequest, storeRuns, toTriggered, withDisposition } from './trigger.ts';

const MAX_BATCH_RUNS = 1000;

type BatchDeps = Pick<RunsDeps, 'store' | 'bus' | 'worker' | 'registry' | 'plugins' | 'maxInputBytes'>;

/** Stores runs of any jobs, or none. @throws {NotFoundError | ValidationError} */
export async function batchTrigger(
  deps: BatchDeps,
  requests: readonly TriggerRequest[],
): Promise<TriggeredRun[]> {
  const triggered = await batchTriggerForIds(deps, requests);
  return triggered.map(({ toRun, disposition }) => withDisposition(toRun(), disposition));
}

/** {@link batchTrigger} for callers that need only the ids. */
export async function batchTriggerForIds(
  deps: BatchDeps,
  requests: readonly TriggerRequest[],
): Promise<Triggered[]> {
  if (!Array.isArray(requests)) {
    throw new ValidationError(`batchTrigger must be given a list of triggers, not ${shownValue(requests)}`);
  }
  if (requests.length > MAX_BATCH_RUNS) {
    throw new ValidationError(`A batch may have ${MAX_BATCH_RUNS} runs, this one has ${requests.length}`);
  }
  const { registry, maxInputBytes } = deps;
  const triggers = await Promise.all(
    requests.map((request, index) =>
      parsedAt(index, async () => {
        if (typeof request !== 'object' || request === null) throw noRequest(request);
        const { jobName, input, ...options } = request;
        const job = registry.find(jobName);
        const trigger = await parseTrigger(job, { input, options });
        return { make: () => newRunOfBatch(job, trigger, maxInputBytes) };
      }),
    ),
  );
  const runs = checkBatchSize(madeRuns(triggers));
  return (await storeRuns(deps, runs)).map(toTriggered);
}

interface Trigger {
  readonly make: () => NewRun;
}

/** One after another, because all of them together may be too large. */
function* madeRuns(triggers: readonly Trigger[]): Generator<NewRun> {
  for (const [index, { make }] of triggers.entries()) {
    try {
      yield make();
    } catch (error) {
      throw placed(error, index);
    }
  }
}

async function parsedAt<T>(index: number, parse: () => Promise<T>): Promise<T> {
  try {
    return await parse();
  } catch (error) {
    throw placed(error, index);
  }
}
