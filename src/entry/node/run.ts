import { surviveStrayErrorsOfJobs } from '../stray-errors.ts';
import type { GivenJobs } from './instance.ts';
import { log, surviveClosedOutputs } from './log.ts';
import { FAILURE_CODE, type SignalOptions, Signals } from './signals.ts';
import { type RunningService, startService } from './start.ts';
import { reportFailedStart } from './start-failure.ts';

export interface RunOptions extends SignalOptions {
  /** What it executes in place of the service's own jobs. */
  readonly jobs?: GivenJobs | undefined;
}

/** Runs the service in this process until a signal ends it. */
export async function runService({ jobs, ...options }: RunOptions): Promise<RunningService> {
  surviveClosedOutputs();
  surviveStrayErrorsOfJobs(log.failure);
  const signals = new Signals(options);
  try {
    const service = await startService(jobs);
    signals.service = service;
    return service;
  } catch (error) {
    reportFailedStart(error);
    process.exit(options.failureCode ?? FAILURE_CODE);
  }
}
