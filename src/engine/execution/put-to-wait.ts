import { toIsoTime } from '../../core/clock.ts';
import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import { nextTryInMs, parseRetries } from '../../core/retry.ts';
import { abandonRun } from '../../core/run-context.ts';
import type { WaitData } from '../../core/wait.ts';
import type { Ending, JobFailure } from './ending.ts';
import type { Execution } from './execution.ts';

/** Stores what the run waits for. Its job is abandoned: it runs again when the run is claimed again. */
export async function putToWait(
  { control, journal, databaseNowMs, onEnding }: Execution,
  data: WaitData,
): Promise<Ending | 'refused'> {
  onEnding?.();
  abandonRun(control.lease);
  const result = await journal.record({ type: 'run:wait', data: JSON.stringify(data) });
  if (result === 'refused') return 'refused';
  return { kind: 'waiting', dueInMs: data.dueAt - databaseNowMs() };
}

/** Stores that the run is tried again, if its job has a retry left and the database takes it. */
export async function retryLater(
  execution: Execution,
  failed: JobFailure,
): Promise<Ending | 'refused' | 'not-retried'> {
  const { journal, databaseNowMs } = execution;
  const dueInMs = retryInMsOf(execution, failed);
  if (dueInMs === undefined) return 'not-retried';
  const { error } = failed;
  const dueAt = Math.ceil(databaseNowMs() + dueInMs);
  const data: WaitData = { dueAt, waits: [{ kind: 'retry', stepName: null, until: toIsoTime(dueAt) }] };
  try {
    const note = { type: 'run:retry', message: error, data: JSON.stringify(data) } as const;
    if ((await journal.record(note)) === 'refused') return 'refused';
  } catch (failure) {
    if (failure instanceof DatabaseUnavailableError) throw failure;
    // It refuses the error's text, for example: the run's end is stored without it.
    return 'not-retried';
  }
  return { kind: 'retrying', error, dueInMs };
}

/** When the run is tried again; undefined if the job has no retries left for this failure. */
function retryInMsOf({ run, job }: Execution, { thrown }: JobFailure): number | undefined {
  if (thrown === undefined || job.retries === undefined) return undefined;
  const failed = { attempt: run.retryCount + 1, error: thrown.error };
  try {
    return nextTryInMs(parseRetries('retries', job.retries), failed);
  } catch {
    // A delay function that fails leaves nothing to wait for: the run fails with the job's error.
    return undefined;
  }
}
