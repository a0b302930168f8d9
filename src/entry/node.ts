import { drain } from './node/drain.ts';
import { logError, surviveClosedOutputs } from './node/report.ts';
import { onFirstSignal } from './node/signals.ts';
import { startService } from './node/start.ts';
import { reportFailedStart } from './node/start-failure.ts';

surviveClosedOutputs();
// A job that forgets to await a promise must not take the other runs down with it.
process.on('unhandledRejection', (error) => logError('unhandled rejection', error));

try {
  const service = await startService();
  onFirstSignal(() => drain(service), service.config.DURABLY_SHUTDOWN_MS);
} catch (error) {
  reportFailedStart(error);
  process.exit(1);
}
