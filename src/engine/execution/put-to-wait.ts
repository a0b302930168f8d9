import type { ErrorDetailMode } from '../../core/errors/error-detail.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import { UNKNOWN_STEP } from '../../core/events.ts';
import type { ClaimedRun } from '../../core/ownership/claim.ts';
import { nextTryInMs, parseRetries } from '../../core/retries/retry.ts';
import { abandonRun } from '../../core/run-context.ts';
import { toIsoTime } from '../../core/time/clock.ts';
import type { WaitData } from '../../core/wait.ts';
import type { Ending, JobFailure, LeftWork } from './ending.ts';
import type { Execution } from './execution.ts';
import { toJobFailure } from './job-failure.ts';

/** Stores what the run waits for. Its job is abandoned: it runs again when the run is claimed again. */
export async function putToWait(
  { run, control, journal, databaseNowMs, onEnding }: Execution,
  data: WaitData,
  mode: ErrorDetailMode,
): Promise<Extract<Ending, { readonly kind: 'waiting' }> | JobFailure | 'refused'> {
  abandonRun(control.lease);
  try {
    const note = { type: 'run:wait', data: JSON.stringify(data) } as const;
    const result = await journal.record(note, () => onEnding?.(leftBy(data)));
    if (result === 'refused') return 'refused';
  } catch (error) {
    if (error instanceof DatabaseUnavailableError) throw error;
    // It refuses a run that a step was to start, for example.
    return toJobFailure(error, { mode });
  }
  const nextMs = nextLookMs(run, data.dueAt ?? Number.POSITIVE_INFINITY);
  return { kind: 'waiting', dueInMs: Number.isFinite(nextMs) ? nextMs - databaseNowMs() : undefined };
}

/** A signal may be there already, and a run that is waited for is yet to be executed. */
function leftBy({ waits = [] }: WaitData): LeftWork {
  if (waits.some(({ kind }) => kind === 'signal')) return 'waiting-run';
  return waits.some(({ kind }) => kind === 'run') ? 'run' : 'nothing';
}

type Retrying = Extract<Ending, { readonly kind: 'retrying' }>;

/**
 * Stores that the run is tried again, if its job has a retry left and the database takes it. Otherwise
 * returns how the run fails.
 */
export async function retryLater(
  execution: Execution,
  failed: JobFailure,
  mode: ErrorDetailMode,
): Promise<Retrying | JobFailure | 'refused'> {
  const { run, journal, databaseNowMs, onEnding } = execution;
  const next = nextTryOf(execution, failed, mode);
  if (typeof next !== 'number') return next;
  const { error } = failed;
  const dueAt = Math.ceil(databaseNowMs() + next);
  const data: WaitData = { dueAt, waits: [{ kind: 'retry', stepName: null, until: toIsoTime(dueAt) }] };
  try {
    const note = { type: 'run:retry', message: error, data: JSON.stringify(data) } as const;
    if ((await journal.record(note, () => onEnding?.('nothing'))) === 'refused') return 'refused';
  } catch (failure) {
    if (failure instanceof DatabaseUnavailableError) throw failure;
    // The database may have refused the error's text. The run's end is stored without that text.
    return failed;
  }
  return { kind: 'retrying', error, dueInMs: nextLookMs(run, dueAt) - databaseNowMs() };
}

/** After how many ms the run is tried again, or how it fails if its job has no retry left for this failure. */
function nextTryOf({ run, job }: Execution, failed: JobFailure, mode: ErrorDetailMode): number | JobFailure {
  const { thrown, failedStepName } = failed;
  if (thrown === undefined || job.retries === undefined) return failed;
  const { error } = thrown;
  try {
    return (
      nextTryInMs(parseRetries('retries', job.retries), { attempt: run.retryCount + 1, error }) ?? failed
    );
  } catch (fault) {
    const message = `Job "${job.name}": its delay of retries failed: ${errorMessage(fault)}`;
    const stepName = failedStepName === UNKNOWN_STEP ? undefined : failedStepName;
    return toJobFailure(new Error(message, { cause: error }), {
      mode,
      failedStepName: stepName,
      isSensitive: failed.isSensitive,
    });
  }
}

/** When a claim has to look for the waiting run: when it is due, or when its time is up. */
function nextLookMs({ deadline }: ClaimedRun, dueAt: number): number {
  return Math.min(dueAt, deadline?.atMs ?? Number.POSITIVE_INFINITY);
}
