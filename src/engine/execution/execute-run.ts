import type { z } from 'zod';
import type { ErrorDetailMode } from '../../core/errors/error-detail.ts';
import { DatabaseUnavailableError, ValidationError } from '../../core/errors/errors.ts';
import { decodeJson, encodeJson } from '../../core/json/json.ts';
import { type ClaimedRun, mayHaveSteps } from '../../core/ownership/claim.ts';
import type { Run } from '../../core/run.ts';
import { callWithinRun } from '../../core/run-context.ts';
import type { StepContext } from '../../core/step.ts';
import type { AppendResult, OwnerNote, Store } from '../../core/store.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Registry } from '../jobs/registry.ts';
import { parseWith } from '../jobs/schema-parse.ts';
import { type Ending, isSuspension, type JobEnd, type JobFailure, type StopReason } from './ending.ts';
import type { Execution } from './execution.ts';
import { toJobFailure } from './job-failure.ts';
import { readPatiently } from './patient-read.ts';
import { putToWait, retryLater } from './put-to-wait.ts';
import { watchDeadline } from './run-timer.ts';
import { createStepContext } from './step-context.ts';
import { StepResults } from './step-results.ts';
import { ChildRuns } from './steps/child-runs.ts';
import { SignalBox } from './steps/signal-box.ts';
import { StepCalls } from './steps/step-calls.ts';
import { StepPort } from './steps/step-port.ts';
import { StepWaits } from './steps/step-waits.ts';
import { createTelemetry } from './telemetry.ts';

interface Engine {
  readonly store: Store;
  readonly registry: Registry;
  readonly bus: EventBus;
  readonly clock: Clock;
  /** The most bytes of JSON for a step's result and a run's output. */
  readonly maxResultBytes: number;
  readonly errorDetail: ErrorDetailMode;
}

/**
 * Executes one claimed run to its {@link Ending}. The job runs until it settles or the run is
 * stopped. The last write is fenced like every other. If it is refused, the run was cancelled or
 * belongs to another worker.
 */
export async function executeRun(execution: Execution, engine: Engine): Promise<Ending> {
  const { store, clock, registry, maxResultBytes, errorDetail } = engine;
  const { run, job, control, journal, databaseNowMs } = execution;
  const startMs = clock.monotonicMs();
  let waits: StepWaits | undefined;
  const endWatch = watchDeadline(execution, clock);
  try {
    const known = run.steps ?? (mayHaveSteps(run) ? await store.listKnownSteps(run.runId) : []);
    const results = new StepResults(known, { control, store, clock });
    const calls = new StepCalls();
    waits = new StepWaits({ clock, control, calls, databaseNowMs, isAwaitingRun: execution.isAwaitingRun });
    const signals = new SignalBox({
      claimedAtMs: run.claimedAtMs,
      signals: run.signals ?? (mayHaveSteps(run) ? undefined : []),
      list: () => readPatiently({ control, clock }, () => store.listSignals(run.runId)),
      readPayload: (seq) => readPatiently({ control, clock }, () => store.readSignal(seq)),
    });
    const port = new StepPort({
      control,
      journal,
      clock,
      calls,
      results,
      waits,
      databaseNowMs,
      maxResultBytes,
      errorDetail,
    });
    const limits = { mode: errorDetail, maxBytes: maxResultBytes };
    const telemetry = createTelemetry({ journal, port, limits });
    const children = new ChildRuns({
      run,
      registry,
      maxInputBytes: maxResultBytes,
      readRun: (runId) => readPatiently({ control, clock }, () => store.getRun(runId, { asOf: 'now' })),
      listKeysAbove: () => readPatiently({ control, clock }, () => store.listKeysAbove(run.runId)),
    });
    const step = createStepContext({ run, port, signals, children, defaults: job.defaults, telemetry });
    const settled = await Promise.race([runJob(execution, { step, calls }, engine), control.stopped]);
    if (settled === 'waiting') {
      const waiting = await putToWait(execution, waits.toData(), errorDetail);
      if (waiting !== 'refused' && waiting.kind === 'waiting') return waiting;
      const end =
        waiting === 'refused' ? waiting : await recordEnd(execution, { end: waiting, durationMs: 0 });
      return end === 'refused' ? await resolveStop('lease-lost', execution, store) : end;
    }
    if (settled === 'timed-out') return await endTimedOut(execution, engine);
    if (typeof settled === 'string') {
      // A later claim continues from what is stored.
      if (isSuspension(settled)) await journal.seal();
      return await resolveStop(settled, execution, store);
    }
    control.end({ stepsRunning: calls.areRunning });
    const outcome = settled.kind === 'failed' ? await retryLater(execution, settled, errorDetail) : settled;
    if (outcome === 'refused') return await resolveStop('lease-lost', execution, store);
    if (outcome.kind === 'retrying') return outcome;
    const durationMs = clock.monotonicMs() - startMs;
    const end = await recordEnd(execution, { end: outcome, durationMs });
    return end === 'refused' ? await resolveStop('lease-lost', execution, store) : end;
  } finally {
    endWatch();
    waits?.close();
    control.end({ stepsRunning: false });
    journal.close();
  }
}

/** Stores that the run has failed because its time was up. */
async function endTimedOut(execution: Execution, { store }: Engine): Promise<Ending> {
  // Without a stack, which would only show this engine.
  const timedOut = { ...toJobFailure(execution.control.error, { mode: 'message' }), isTimeOut: true };
  const end = await recordEnd(execution, { end: timedOut, durationMs: 0 });
  return end === 'refused' ? await resolveStop('lease-lost', execution, store) : { kind: 'timed-out', end };
}

function failNote({ error, detail, failedStepName, isTimeOut }: JobFailure): OwnerNote {
  return { type: 'run:fail', message: error, data: detail, stepName: failedStepName, isTimeOut };
}

/**
 * Stores a run's end and returns it as it was stored. If the database refuses the output or the
 * error, for its size for example, the run fails without it.
 */
async function recordEnd(
  execution: Pick<Execution, 'run' | 'journal' | 'onEnding'>,
  { end, durationMs }: { readonly end: JobEnd; readonly durationMs: number },
): Promise<JobEnd | 'refused'> {
  const note: OwnerNote =
    end.kind === 'completed' ? { type: 'run:complete', data: end.output, durationMs } : failNote(end);
  const { run, journal, onEnding } = execution;
  let result: AppendResult;
  try {
    // A run above it may wait for it.
    result = await journal.record(note, () =>
      onEnding?.(run.parentRunId === null ? 'nothing' : 'waiting-run'),
    );
  } catch (error) {
    if (error instanceof DatabaseUnavailableError || end === REFUSED_ERROR) throw error;
    const isOutput = end.kind === 'completed';
    const left = isOutput ? invalidOutput('the database refused it', { cause: error }) : REFUSED_ERROR;
    return await recordEnd(execution, { end: left, durationMs });
  }
  return result === 'stored' ? end : 'refused';
}

/** Replaces an error whose text the database refuses. */
const REFUSED_ERROR = toJobFailure(
  new Error('The run failed, and the database refused the text of its error'),
  {
    mode: 'message',
  },
);

/** Runs the job to its end. Never rejects: if the job throws, that is its end. */
async function runJob(
  { job, run, control }: Execution,
  { step, calls }: { readonly step: StepContext; readonly calls: StepCalls },
  { errorDetail, maxResultBytes }: Pick<Engine, 'errorDetail' | 'maxResultBytes'>,
): Promise<JobEnd> {
  const callJob = async () => {
    const returned = await job.run(step, decodeJson(run.payload));
    return await encodeOutput(job.output, returned, maxResultBytes);
  };
  try {
    return await callWithinRun(control.lease, callJob);
  } catch (error) {
    const failed = toJobFailure(error, { mode: errorDetail, failedStepName: calls.failedStepOf(error) });
    return { ...failed, thrown: { error } };
  }
}

async function encodeOutput(
  schema: z.ZodType | undefined,
  returned: unknown,
  maxBytes: number,
): Promise<JobEnd> {
  let output = returned;
  if (schema) {
    const parsed = await parseWith(schema, returned);
    if (!parsed.ok) return invalidOutput(parsed.summary);
    output = parsed.value;
  }
  const encoding = encodeJson(output, { maxBytes });
  if (!encoding.ok) return invalidOutput(encoding.reason, encoding);
  return { kind: 'completed', output: encoding.text ?? null };
}

/** Without a stack, which would only show this engine. */
function invalidOutput(reason: string, { cause }: { readonly cause?: unknown } = {}): JobFailure {
  const error = new ValidationError(`Invalid output: ${reason}`);
  if (cause !== undefined) error.cause = cause;
  return toJobFailure(error, { mode: 'message' });
}

/** A refused write means that the run is no longer this worker's. The run itself shows why. */
async function resolveStop(
  reason: Exclude<StopReason, 'timed-out'>,
  { run }: Execution,
  store: Store,
): Promise<Ending> {
  if (reason !== 'lease-lost' && reason !== 'waiting') return { kind: reason };
  const current = await store.getRun(run.runId, { asOf: 'now' });
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
