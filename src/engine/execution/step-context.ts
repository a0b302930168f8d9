import type { ClaimedRun } from '../../core/ownership/claim.ts';
import type { RunStepOptions, StepContext } from '../../core/step.ts';
import type { ChildRuns } from './steps/child-runs.ts';
import { createInvokeStep, createTriggerStep } from './steps/invoke-step.ts';
import { createRunStep } from './steps/run-step.ts';
import type { SignalBox } from './steps/signal-box.ts';
import { createSignalStep } from './steps/signal-step.ts';
import { createSleepStep, createSleepUntilStep } from './steps/sleep-step.ts';
import type { StepPort } from './steps/step-port.ts';
import type { StepTransactions } from './steps/step-transactions.ts';
import { createTransactionStep } from './steps/transaction-step.ts';

interface StepContextDeps {
  readonly run: ClaimedRun;
  readonly port: StepPort;
  readonly signals: SignalBox;
  readonly children: ChildRuns;
  readonly transactions: StepTransactions;
  /** Of the job's steps. */
  readonly defaults: RunStepOptions | undefined;
  readonly telemetry: Pick<StepContext, 'progress' | 'emit' | 'log'>;
}

/** The `step` that a job is called with: each kind of step is one of its methods. They work without `this`. */
export function createStepContext({
  run,
  port,
  signals,
  children,
  transactions,
  defaults,
  telemetry,
}: StepContextDeps): StepContext {
  return {
    runId: run.runId,
    attempt: run.attempt,
    version: run.version,
    get signal() {
      return port.signal;
    },
    run: createRunStep(port, defaults),
    transaction: createTransactionStep(port, transactions, defaults),
    sleep: createSleepStep(port),
    sleepUntil: createSleepUntilStep(port),
    waitForSignal: createSignalStep(port, signals),
    invoke: createInvokeStep(port, children),
    trigger: createTriggerStep(port, children),
    progress: telemetry.progress,
    emit: telemetry.emit,
    log: telemetry.log,
  };
}
