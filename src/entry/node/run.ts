import { logError } from '../log-error.ts';
import { surviveStrayErrorsOfJobs } from '../stray-errors.ts';
import { surviveClosedOutputs } from './report.ts';
import { type SignalOptions, Signals } from './signals.ts';
import { startService } from './start.ts';
import { reportFailedStart } from './start-failure.ts';

/** Runs the service in this process until a signal ends it. */
export async function runService(options: SignalOptions): Promise<void> {
  surviveClosedOutputs();
  surviveStrayErrorsOfJobs(logError);
  const signals = new Signals(options);
  try {
    signals.service = await startService();
  } catch (error) {
    reportFailedStart(error);
    process.exit(1);
  }
}
