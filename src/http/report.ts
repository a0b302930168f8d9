import { errorFields } from '../core/errors/error-fields.ts';
import { errorMessage } from '../core/errors/error-text.ts';
import { DatabaseUnavailableError } from '../core/errors/errors.ts';
import { logText } from '../core/errors/log-text.ts';
import { isA } from '../core/errors/thrown.ts';
import type { Logger } from '../core/logger.ts';
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

/** Reports errors of requests to a hook, or to the log if there is no hook. Without a logger, that is the console. */
export function createReport(onError: ErrorHook | undefined, logger?: Logger): ReportOf {
  const print = createPrinter(logger);
  return (requestId) => (error) => {
    const reportFailure = (failure: unknown) =>
      reportToConsole('durably: onError threw', failure, 'on', error);
    try {
      if (onError !== undefined) watchRejection(onError(error, { requestId }), reportFailure);
      else print(requestId, error);
    } catch (failure) {
      reportFailure(failure);
    }
  };
}

/**
 * Prints an error with its stack. An unavailable database affects every request and is not a fault of the code,
 * so it gets one line when the outage begins.
 */
function createPrinter(logger: Logger | undefined): (requestId: string | undefined, error: unknown) => void {
  const lastMetMs = new Map<string, number>();
  return (requestId, error) => {
    const prefix = requestId === undefined ? 'durably:' : `durably: request ${requestId}:`;
    if (!isA(error, DatabaseUnavailableError)) {
      if (logger === undefined) reportToConsole(prefix, error);
      else writeTo(logger, { requestId, error, prefix });
      return;
    }
    const now = performance.now();
    const last = lastMetMs.get(error.message) ?? Number.NEGATIVE_INFINITY;
    for (const [message, metMs] of lastMetMs) {
      if (now - metMs > OUTAGE_ENDS_AFTER_MS) lastMetMs.delete(message);
    }
    lastMetMs.set(error.message, now);
    if (now - last <= OUTAGE_ENDS_AFTER_MS) return;
    if (logger === undefined) console.error(`${prefix} ${logText(errorMessage(error))}`);
    else writeTo(logger, { requestId, error, prefix });
  };
}

function writeTo(
  logger: Logger,
  {
    requestId,
    error,
    prefix,
  }: { readonly requestId: string | undefined; readonly error: unknown; readonly prefix: string },
): void {
  const isOutage = isA(error, DatabaseUnavailableError);
  const { err, ...text } = errorFields(error);
  // An outage is not a fault of the code, so its stack says nothing.
  const fields = { requestId, ...text, ...(!isOutage && { err }) };
  const answer =
    logger.entry === undefined
      ? logger.error(`${prefix} ${logText(errorMessage(error))}`)
      : logger.entry({ level: 'error', message: 'request failed', fields });
  watchRejection(answer, (failure) => reportToConsole('durably: the logger failed:', failure));
}
