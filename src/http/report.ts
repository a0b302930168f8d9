import { errorMessage } from '../core/errors/error-text.ts';
import { DatabaseUnavailableError } from '../core/errors/errors.ts';
import { logText } from '../core/errors/log-text.ts';
import { isA } from '../core/errors/thrown.ts';
import { reportToConsole, watchRejection } from '../core/user-code.ts';

/** After this long without an error, the next one counts as a new outage on the console. */
const OUTAGE_ENDS_AFTER_MS = 60_000;

/** Names the request that met the error, by the id that the app gave it. */
export interface ErrorContext {
  readonly requestId: string | undefined;
}

export type ErrorHook = (error: unknown, about: ErrorContext) => void;

/** Returns the error handler of one request. The handler never throws. */
export type ReportOf = (requestId: string | undefined) => (error: unknown) => void;

/** Reports errors of requests to a hook, or to the console if there is no hook. */
export function createReport(onError: ErrorHook | undefined): ReportOf {
  const print = createPrinter();
  return (requestId) => (error) => {
    const reportFailure = (failure: unknown) =>
      reportToConsole('durably: onError threw', failure, 'on', error);
    try {
      if (onError !== undefined) watchRejection(onError(error, { requestId }), reportFailure);
      else print(requestId === undefined ? 'durably:' : `durably: request ${requestId}:`, error);
    } catch (failure) {
      reportFailure(failure);
    }
  };
}

/**
 * Prints an error with its stack. An unavailable database affects every request and is not a fault of the code,
 * so it gets one line when the outage begins.
 */
function createPrinter(): (prefix: string, error: unknown) => void {
  const lastMetMs = new Map<string, number>();
  return (prefix, error) => {
    if (!isA(error, DatabaseUnavailableError)) return reportToConsole(prefix, error);
    const now = performance.now();
    const last = lastMetMs.get(error.message) ?? Number.NEGATIVE_INFINITY;
    for (const [message, metMs] of lastMetMs) {
      if (now - metMs > OUTAGE_ENDS_AFTER_MS) lastMetMs.delete(message);
    }
    lastMetMs.set(error.message, now);
    if (now - last > OUTAGE_ENDS_AFTER_MS) console.error(`${prefix} ${logText(errorMessage(error))}`);
  };
}
