import type { ErrorDetail } from '../../core/errors/error-detail.ts';
import {
  ChildRunError,
  ConflictError,
  DatabaseUnavailableError,
  type ErrorCode,
  IdempotencyKeyReusedError,
  InputTooLargeError,
  NotFoundError,
  PluginError,
  PluginTimeoutError,
  RunEndedError,
  SchemaMismatchError,
  StepError,
  StepTimeoutError,
  TimeoutError,
  UnreadableError,
  ValidationError,
} from '../../core/errors/errors.ts';
import { NonRetryableError, RetryAfterError } from '../../core/retries/retry-errors.ts';

type ErrorClass = { readonly name: string; readonly prototype: Error };

/**
 * The classes of the errors that a step can fail with, and their codes. Those that end the execution are never stored for a step.
 * The two without a code are told by name wherever they are told.
 */
const CLASSES: readonly (readonly [ErrorClass, ErrorCode?])[] = [
  [NonRetryableError],
  [RetryAfterError],
  [StepError, 'STEP'],
  [StepTimeoutError, 'STEP'],
  [ChildRunError, 'CHILD_RUN'],
  [RunEndedError, 'RUN_ENDED'],
  [NotFoundError, 'NOT_FOUND'],
  [ConflictError, 'CONFLICT'],
  [ValidationError, 'VALIDATION'],
  [InputTooLargeError, 'VALIDATION'],
  [IdempotencyKeyReusedError, 'IDEMPOTENCY_KEY_REUSED'],
  [TimeoutError, 'TIMEOUT'],
  [PluginError, 'PLUGIN'],
  [PluginTimeoutError, 'PLUGIN_TIMEOUT'],
  [UnreadableError, 'UNREADABLE'],
  [SchemaMismatchError, 'SCHEMA_MISMATCH'],
  [DatabaseUnavailableError, 'DATABASE_UNAVAILABLE'],
];

/**
 * Gives a restored error the class that it had, if that is one of durably's own. Its name alone proves nothing, because a job
 * may have a class of that name: it must have the class's `code`, too.
 */
export function revive(error: Error, { name, code, delayMs }: ErrorDetail): void {
  const [found] = CLASSES.find(([each, itsCode]) => each.name === name && itsCode === code) ?? [];
  if (found === undefined) return;
  Object.setPrototypeOf(error, found.prototype);
  if (found === ChildRunError) {
    const { runId, status, error: text } = ChildRunError.parse(error.message) ?? {};
    Object.assign(error, { runId, status, error: text });
  }
  if (error instanceof ValidationError) Object.assign(error, { issues: [] });
  if (delayMs !== undefined) Object.assign(error, { delayMs });
}
