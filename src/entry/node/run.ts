import { logError, surviveClosedOutputs } from './report.ts';
import { type SignalOptions, Signals } from './signals.ts';
import { startService } from './start.ts';
import { reportFailedStart } from './start-failure.ts';

/** Runs the service in this process until a signal ends it. */
export async function runService(options: SignalOptions): Promise<void> {
  surviveClosedOutputs();
  // A job that forgets to await a promise must not take the other runs down with it.
  process.on('unhandledRejection', (error) => logError('unhandled rejection', error));
  const signals = new Signals(options);
  try {
    signals.service = await startService();
  } catch (error) {
    reportFailedStart(error);
    process.exit(1);
  }
}
