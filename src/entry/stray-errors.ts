import { strayRun } from '../core/run-context.ts';

type LogError = (message: string, error: unknown, fields?: { readonly runId: string }) => void;

/**
 * Keeps the process and its other runs alive when an error escapes a job's code. Such errors come from a
 * timer's callback, an event emitter without an error listener, or a listener on a signal that the job created.
 * Node keeps the run's async context for them, except in a callback of `queueMicrotask`. An uncaught exception
 * of any other code ends the process, as it does without a handler.
 */
export function surviveStrayErrorsOfJobs(logError: LogError): void {
  process.on('uncaughtException', (error) => {
    const run = strayRun();
    if (run !== undefined) {
      logError('uncaught exception in the code of a run', error, { runId: run.runId });
      return;
    }
    logError('uncaught exception', error);
    process.exit(1);
  });
  // A job that forgets to await a promise must not end the other runs.
  process.on('unhandledRejection', (error) => {
    const run = strayRun();
    if (run === undefined) logError('unhandled rejection', error);
    else logError('unhandled rejection in the code of a run', error, { runId: run.runId });
  });
}
