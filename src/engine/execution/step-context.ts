import type { StepContext } from '../../core/step.ts';
import type { ClaimedRun } from '../../core/store.ts';
import { createRunStep } from './steps/run-step.ts';
import type { StepPort } from './steps/step-port.ts';

interface StepContextDeps {
  readonly run: ClaimedRun;
  readonly port: StepPort;
  readonly telemetry: Pick<StepContext, 'progress' | 'log'>;
}

/** The `step` that a job is called with: each kind of step is one of its methods. They work without `this`. */
export function createStepContext({ run, port, telemetry }: StepContextDeps): StepContext {
  return {
    runId: run.runId,
    attempt: run.attempt,
    get signal() {
      return port.signal;
    },
    run: createRunStep(port),
    progress: telemetry.progress,
    log: telemetry.log,
  };
}
