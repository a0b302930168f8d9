import { strayRun } from '../core/run-context.ts';

type LogError = (context: string, error: unknown) => void;

/**
 * Keeps errors that escape a job's code (a timer's callback, an event emitter without
 * a listener for errors, a listener on a signal of the job's own) from ending the
 * process and with it every other run. Node keeps the run's async context for them,
 * but for a callback of `queueMicrotask`. An uncaught exception of any other code
 * ends the process, as it does without a handler.
 */
export function surviveStrayErrorsOfJobs(logError: LogError): void {
  process.on('uncaughtException', (error) => {
    const run = strayRun();
    if (run !== undefined) {
      logError(`uncaught exception in the code of ${run.runId}`, error);
      return;
    }
    logError('uncaught exception', error);
    process.exit(1);
  });
  // A job that forgets to await a promise must not take the other runs down with it.
  process.on('unhandledRejection', (error) => {
    const run = strayRun();
    logError(`unhandled rejection${run === undefined ? '' : ` in the code of ${run.runId}`}`, error);
  });
}
