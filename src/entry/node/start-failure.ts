import { ConfigError } from '../../app/config.ts';
import { DatabaseOpenError } from '../../app/database.ts';
import { DatabaseUnavailableError, DurablyError, errorMessage } from '../../core/errors.ts';

/** One line for what the operator can mend; all there is for what only we can. */
export function reportFailedStart(error: unknown): void {
  const isOperators =
    error instanceof ConfigError ||
    error instanceof DatabaseOpenError ||
    error instanceof DurablyError ||
    (error instanceof Error && 'syscall' in error);
  if (isOperators) {
    const cause = error instanceof DatabaseUnavailableError ? ` (${rootMessage(error.cause)})` : '';
    console.error(`durably: cannot start: ${error.message}${cause}`);
  } else {
    console.error('durably: cannot start:', error);
  }
}

/** `fetch failed` says nothing: what it was caused by does. */
function rootMessage(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? rootMessage(error.cause) : errorMessage(error);
}
