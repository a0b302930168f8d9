import { surviveStrayErrorsOfJobs } from '../stray-errors.ts';
import type { GivenJobs } from './instance.ts';
import { log, surviveClosedOutputs } from './log.ts';
import { type SignalOptions, Signals } from './signals.ts';
import { type RunningService, startService } from './start.ts';
import { reportFailedStart } from './start-failure.ts';

export interface RunOptions extends SignalOptions {
  /** What it executes in place of the service's own jobs. */
  readonly jobs?: GivenJobs | undefined;
  /** The exit code if it can't start: 1 by default. */
  readonly failedStartCode?: number | undefined;
}

/** Runs the service in this process until a signal ends it. */
export async function runService({
  jobs,
  failedStartCode = 1,
  ...options
}: RunOptions): Promise<RunningService> {
  surviveClosedOutputs();
  surviveStrayErrorsOfJobs(log.failure);
  const signals = new Signals(options);
  try {
    const service = await startService(jobs);
    signals.service = service;
    return service;
  } catch (error) {
    reportFailedStart(error);
    process.exit(failedStartCode);
  }
}
