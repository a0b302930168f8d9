import type { ErrorDetailMode } from '../../core/errors/error-detail.ts';
import { DatabaseUnavailableError, PluginError } from '../../core/errors/errors.ts';
import { isSealed } from '../../core/json/sealed.ts';
import { type ClaimedRun, mayHaveSteps } from '../../core/ownership/claim.ts';
import type { Run } from '../../core/run.ts';
import { abandonRun } from '../../core/run-context.ts';
import type { AppendResult, OwnerNote, Store } from '../../core/store.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Registry } from '../jobs/registry.ts';
import { NeededValues } from '../plugins/needed-values.ts';
import { PluginCalls } from '../plugins/plugin-calls.ts';
import type { Plugins } from '../plugins/plugins.ts';
import { type Ending, isSuspension, type JobEnd, type JobFailure, type PlainStop } from './ending.ts';
import type { Execution } from './execution.ts';
import { toJobFailure } from './job-failure.ts';
import { readPatiently } from './patience.ts';
import { putToWait, retryLater } from './put-to-wait.ts';
import { invalidOutput, runJob, runWithin } from './run-job.ts';
import { watchDeadline } from './run-timer.ts';
import { createStepContext } from './step-context.ts';
import { StepResults } from './step-results.ts';
import { ChildRuns } from './steps/child-runs.ts';
import { SignalBox } from './steps/signal-box.ts';
import { StepCalls } from './steps/step-calls.ts';
import { StepPort } from './steps/step-port.ts';
import { StepTransactions, transactionLimitMs } from './steps/step-transactions.ts';
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
  readonly plugins: Plugins;
  readonly heartbeatIntervalMs: number;
  readonly staleThresholdMs: number;
}

/**
 * Executes one claimed run to its {@link Ending}. The job runs until it settles or the run is
 * stopped. The last write is fenced like every other. If it is refused, the run was cancelled or
 * belongs to another worker.
 */
export async function executeRun(execution: Execution, engine: Engine): Promise<Ending> {
  const { store, clock, registry, maxResultBytes, errorDetail, plugins } = engine;
  const { run, job, control, journal, databaseNowMs, onInput } = execution;
  const startMs = clock.monotonicMs();
  let waits: StepWaits | undefined;
  const endWatch = watchDeadline(execution, clock);
  try {
    const needed = new NeededValues(plugins.codec, control);
    const begun = isSealed(run.payload) ? await needed.withInput(run) : run;
    onInput?.(begun);
    const known = run.steps ?? (mayHaveSteps(run) ? await store.listKnownSteps(run.runId) : []);
    const results = new StepResults(known, { control, store, clock, needed });
    const calls = new StepCalls();
    waits = new StepWaits({ clock, control, calls, databaseNowMs, isAwaitingRun: execution.isAwaitingRun });
    const signals = new SignalBox({
      claimedAtMs: run.claimedAtMs,
      signals: run.signals ?? (mayHaveSteps(run) ? undefined : []),
      list: () => readPatiently({ control, clock }, () => store.listSignals(run.runId)),
      readPayload: (seq) => readPatiently({ control, clock }, () => store.readSignal(seq)),
      needed,
    });
    const pluginCalls = PluginCalls.of(plugins, begun, () => control.signal);
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
      pluginCalls,
    });
    const limits = { mode: errorDetail, maxBytes: maxResultBytes };
    const telemetry = createTelemetry({ journal, port, limits });
    const children = new ChildRuns({
      run,
      registry,
      maxInputBytes: maxResultBytes,
      readRun: (runId) => readPatiently({ control, clock }, () => store.getRun(runId, { asOf: 'now' })),
      listKeysAbove: () => readPatiently({ control, clock }, () => store.listKeysAbove(run.runId)),
      plugins,
      needed,
    });
    const limitMs = transactionLimitMs(engine);
    const { bus } = engine;
    const transactions = new StepTransactions({ store, journal, control, clock, bus, limitMs });
    const kinds = { port, signals, children, transactions };
    const step = createStepContext({ run, ...kinds, defaults: job.defaults, telemetry });
    const jobDeps = { step, calls, needed, errorDetail, maxResultBytes };
    const runBegun = () => runJob({ ...execution, run: begun }, jobDeps);
    const ended =
      plugins.aroundRun && pluginCalls
        ? runWithin(execution, runBegun, { pluginCalls, bus: engine.bus, errorDetail })
        : runBegun();
    const settled = await Promise.race([ended, control.stopped]);
    if (settled === 'waiting') {
      const waiting = await putToWait(execution, waits.toData(), errorDetail);
      if (waiting !== 'refused' && waiting.kind === 'waiting') return waiting;
      const end =
        waiting === 'refused' ? waiting : await recordEnd(execution, { end: waiting, durationMs: 0 });
      return end === 'refused' ? await resolveStop('lease-lost', execution, store) : end;
    }
    if (settled === 'timed-out') return await endTimedOut(execution, engine);
    if (settled === 'unreadable') {
      abandonRun(control.lease);
      const { error } = control;
      const failed = { ...toJobFailure(error, { mode: 'message' }), thrown: { error } };
      return await endFailed(execution, failed, engine);
    }
    if (typeof settled === 'string') {
      // A later claim continues from what is stored.
      if (isSuspension(settled)) await journal.seal();
      return await resolveStop(settled, execution, store);
    }
    control.end({ stepsRunning: calls.areRunning });
    if (settled.kind === 'failed') return await endFailed(execution, settled, engine);
    const durationMs = clock.monotonicMs() - startMs;
    const end = await recordEnd(execution, { end: settled, durationMs });
    return end === 'refused' ? await resolveStop('lease-lost', execution, store) : end;
  } finally {
    endWatch();
    waits?.close();
    control.end({ stepsRunning: false });
    journal.close();
  }
}

/** Stores that the run has failed, or that it is tried again. */
async function endFailed(
  execution: Execution,
  failed: JobFailure,
  { store, errorDetail }: Pick<Engine, 'store' | 'errorDetail'>,
): Promise<Ending> {
  const outcome = await retryLater(execution, failed, errorDetail);
  if (outcome === 'refused') return await resolveStop('lease-lost', execution, store);
  if (outcome.kind === 'retrying') return outcome;
  const end = await recordEnd(execution, { end: outcome, durationMs: 0 });
  return end === 'refused' ? await resolveStop('lease-lost', execution, store) : end;
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
    end.kind === 'completed'
      ? { type: 'run:complete', data: end.output, durationMs }
      : { ...failNote(end), isPlain: end === REFUSED_ERROR };
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
    const why = error instanceof PluginError ? error.message : 'the database refused it';
    const left = isOutput ? invalidOutput(why, { cause: error }) : REFUSED_ERROR;
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

/** A refused write means that the run is no longer this worker's. The run itself shows why. */
async function resolveStop(reason: PlainStop, { run }: Execution, store: Store): Promise<Ending> {
  if (reason !== 'lease-lost' && reason !== 'waiting') return { kind: reason };
  const current = await store.getRun(run.runId, { asOf: 'now' });
  if (current?.status === 'cancelled' && current.attempt === run.attempt) return { kind: 'cancelled' };
  return { kind: 'lease-lost', reason: fateOf(current, run) };
}

function fateOf(current: Pick<Run, 'status' | 'attempt'> | null, { attempt }: ClaimedRun): string {
  if (current === null) return 'the run was deleted';
  if (current.attempt > attempt) return 'another worker took the run over';
  return current.status === 'running'
    ? 'another worker goes on with the run'
    : `the run is ${current.status} now`;
}
