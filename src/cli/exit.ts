import { CommanderError } from 'commander';
import {
  DatabaseUnavailableError,
  IdempotencyKeyReusedError,
  NotFoundError,
  ServiceUnavailableError,
  UnauthorizedError,
  ValidationError,
} from '../client.ts';
import { errorMessage } from '../core/errors/error-text.ts';
import { onOneLine } from '../core/errors/log-text.ts';
import { withoutSecrets } from '../core/errors/secrets.ts';
import type { RunStatus } from '../core/run.ts';

/** How the command ends. The first three are how the run that was watched has ended. */
export const EXIT = {
  done: 0,
  failed: 1,
  cancelled: 2,
  /** A wrong option, argument or input, whether the command or the service has found it. Nothing was changed. */
  usage: 3,
  /** The service refused it, or it went wrong. */
  refused: 4,
  /** The service can't be reached. */
  unreachable: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command was called wrongly. The message is one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** How a run can have ended. */
type EndedStatus = keyof typeof EXIT_OF_STATUS;

const EXIT_OF_STATUS = {
  completed: EXIT.done,
  failed: EXIT.failed,
  cancelled: EXIT.cancelled,
} as const satisfies Partial<Record<RunStatus, ExitCode>>;

/** Whether a run in this status is over. */
export function isEnded(status: RunStatus): status is EndedStatus {
  return status in EXIT_OF_STATUS;
}

/** The exit code of a run that is over. */
export function exitCodeOf(status: EndedStatus): ExitCode {
  return EXIT_OF_STATUS[status];
}

/** What an error means for the one who has typed the command. Nothing is told of what commander has told already. */
export function explain(
  error: unknown,
  url: string | undefined,
): { readonly code: ExitCode; readonly line?: string } {
  if (error instanceof CommanderError) return { code: error.exitCode === 0 ? EXIT.done : EXIT.usage };
  const line = onOneLine(withoutSecrets(lineOf(error, url)));
  if (isMistyped(error)) return { code: EXIT.usage, line };
  const isAway = error instanceof ServiceUnavailableError || error instanceof DatabaseUnavailableError;
  return { code: isAway ? EXIT.unreachable : EXIT.refused, line };
}

/** Whether the cause is what was typed. The service refuses what the command can't check: inputs, times, names. */
function isMistyped(error: unknown): boolean {
  return (
    error instanceof UsageError ||
    error instanceof ValidationError ||
    error instanceof NotFoundError ||
    error instanceof IdempotencyKeyReusedError
  );
}

function lineOf(error: unknown, url: string | undefined): string {
  const message = errorMessage(error);
  if (error instanceof ServiceUnavailableError) {
    return `${message}: start the service with durably serve, or name another with --url or DURABLY_URL (now ${url})`;
  }
  if (error instanceof UnauthorizedError) return `${message}: give a key with --api-key or DURABLY_API_KEY`;
  return message;
}
