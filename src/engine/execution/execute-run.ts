import type { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { type ErrorDetailMode, encodeErrorDetail } from '../../core/errors/error-detail.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { DatabaseUnavailableError, ValidationError } from '../../core/errors/errors.ts';
import { UNKNOWN_STEP } from '../../core/events.ts';
import { decodeJson, encodeJson } from '../../core/json/json.ts';
import type { Run } from '../../core/run.ts';
import { callWithinRun } from '../../core/run-context.ts';
import type { ClaimedRun, OwnerNote, Store } from '../../core/store.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { JobDefinition } from '../jobs/define-job.ts';
import { parseWith } from '../jobs/schema-parse.ts';
import type { OwnerJournal } from './owner-journal.ts';
import type { RunControl, StopReason } from './run-control.ts';
import { Steps } from './step-context.ts';
import { StoredResults } from './stored-results.ts';

/** How one claim of a run came out, for the worker that held it. */
export type Outcome =
  | { readonly kind: 'completed' }
  | { readonly kind: 'failed'; readonly error: string; readonly failedStepName: string }
  | { readonly kind: Exclude<StopReason, 'lease-lost'> }
  /** `reason`: what became of the run. */
  | { readonly kind: 'lease-lost'; readonly reason: string };

export interface Execution {
  readonly run: ClaimedRun;
  readonly job: JobDefinition;
  readonly control: RunControl;
  readonly journal: OwnerJournal;
}

interface Engine {
  readonly store: Store;
  readonly bus: EventBus;
  readonly clock: Clock;
  /** A step's result and a run's output take so many bytes as JSON at most. */
  readonly maxResultBytes: number;
  readonly errorDetail: ErrorDetailMode;
}

/** What a job came to: JSON text of its output, or why there is none. */
type JobResult = { readonly ok: true; readonly output: string | null } | Failure;

interface Failure {
  readonly ok: false;
  readonly error: string;
  /** JSON text. */
  readonly detail: string;
  readonly failedStepName: string;
}

/**
 * Takes one claimed run to one outcome. Finished steps are loaded once, the job
 * runs until it settles or the run is stopped, and the last write is fenced
 * like every other: refused, the run was cancelled or belongs to someone else.
 */
export async function executeRun(execution: Execution, engine: Engine): Promise<Outcome> {
  const { store, clock, maxResultBytes, errorDetail } = engine;
  const { run, control, journal } = execution;
  const startMs = clock.monotonicMs();
  try {
    const completed = run.stepCount > 0 ? await store.listCompletedSteps(run.runId) : [];
    const results = new StoredResults(completed, { control, store, clock });
    const steps = new Steps({
      attempt: run.attempt,
      control,
      journal,
      clock,
      stored: results,
      maxResultBytes,
      errorDetail,
    });
    const settled = await Promise.race([runJob(execution, steps, engine), control.stopped]);
    // Whoever takes a run that was handed back goes on from here.
    if (settled === 'handed-back') await journal.seal();
    if (typeof settled === 'string') return await resolveStop(settled, execution, store);
    control.end({ stepsRunning: steps.areRunning });
    const durationMs = clock.monotonicMs() - startMs;
    const { stored, result } = await recordEnd(journal, { result: settled, durationMs });
    if (stored === 'refused') return await resolveStop('lease-lost', execution, store);
    if (result.ok) return { kind: 'completed' };
    return { kind: 'failed', error: result.error, failedStepName: result.failedStepName };
  } finally {
    control.end({ stepsRunning: false });
    journal.close();
  }
}

/** Stores a run's end. What the database does not take of it, being too large say, is left out, and the run fails. */
async function recordEnd(
  journal: OwnerJournal,
  end: { readonly result: JobResult; readonly durationMs: number },
): Promise<{ readonly stored: 'stored' | 'refused'; readonly result: JobResult }> {
  const { result, durationMs } = end;
  const note: OwnerNote = result.ok
    ? { type: 'run:complete', data: result.output, durationMs }
    : { type: 'run:fail', message: result.error, data: result.detail, stepName: result.failedStepName };
  try {
    return { stored: await journal.record(note), result };
  } catch (error) {
    if (error instanceof DatabaseUnavailableError || result === REFUSED_ERROR) throw error;
    const refused = result.ok ? invalidOutput('the database refused it', { cause: error }) : REFUSED_ERROR;
    return await recordEnd(journal, { result: refused, durationMs });
  }
}

/** Stands in for an error whose text the database does not take. */
const REFUSED_ERROR = failure(new Error('The run failed, and the database refused the text of its error'), {
  mode: 'message',
});

/** Runs the job to its end. Never rejects: what it throws is its result. */
async function runJob(
  { job, run, control }: Execution,
  steps: Steps,
  { errorDetail, maxResultBytes }: Pick<Engine, 'errorDetail' | 'maxResultBytes'>,
): Promise<JobResult> {
  const callJob = async () => {
    const returned = await job.run(steps.toContext(), decodeJson(run.payload));
    return await encodeOutput(job.output, returned, maxResultBytes);
  };
  try {
    return await callWithinRun(control.lease, callJob);
  } catch (error) {
    return failure(error, { mode: errorDetail, failedStepName: steps.failedStepOf(error) });
  }
}

async function encodeOutput(
  schema: z.ZodType | undefined,
  returned: unknown,
  maxBytes: number,
): Promise<JobResult> {
  let output = returned;
  if (schema) {
    const parsed = await parseWith(schema, returned);
    if (!parsed.ok) return invalidOutput(parsed.summary);
    output = parsed.value;
  }
  const encoding = encodeJson(output, { maxBytes });
  return encoding.ok ? { ok: true, output: encoding.text ?? null } : invalidOutput(encoding.reason, encoding);
}

/** Without a stack: it would tell of this engine alone. */
function invalidOutput(reason: string, { cause }: { readonly cause?: unknown } = {}): Failure {
  const error = new ValidationError(`Invalid output: ${reason}`);
  if (cause !== undefined) error.cause = cause;
  return failure(error, { mode: 'message' });
}

function failure(
  error: unknown,
  { mode, failedStepName }: { mode: ErrorDetailMode; failedStepName?: string | undefined },
): Failure {
  return {
    ok: false,
    error: errorMessage(error),
    detail: encodeErrorDetail(error, { mode, stepName: failedStepName }),
    failedStepName: failedStepName ?? UNKNOWN_STEP,
  };
}

/** A write that was refused says that the run is no longer ours; the run itself says why. */
async function resolveStop(reason: StopReason, { run }: Execution, store: Store): Promise<Outcome> {
  if (reason !== 'lease-lost') return { kind: reason };
  const current = await store.getRun(run.runId);
  if (current?.status === 'cancelled' && current.attempt === run.attempt) return { kind: 'cancelled' };
  return { kind: 'lease-lost', reason: fateOf(current, run) };
}

function fateOf(current: Run | null, { attempt }: ClaimedRun): string {
  if (current === null) return 'the run was deleted';
  if (current.attempt > attempt) return 'another worker took the run over';
  return current.status === 'running'
    ? 'another worker goes on with the run'
    : `the run is ${current.status} now`;
}
