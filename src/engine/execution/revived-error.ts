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

/** The classes of the errors that a step can fail with. Those that end the execution are never stored for a step. */
const CLASSES: { readonly [code in ErrorCode]?: readonly ErrorClass[] } = {
  STEP: [StepError, StepTimeoutError],
  CHILD_RUN: [ChildRunError],
  RUN_ENDED: [RunEndedError],
  NOT_FOUND: [NotFoundError],
  CONFLICT: [ConflictError],
  VALIDATION: [ValidationError, InputTooLargeError],
  IDEMPOTENCY_KEY_REUSED: [IdempotencyKeyReusedError],
  TIMEOUT: [TimeoutError],
  PLUGIN: [PluginError],
  PLUGIN_TIMEOUT: [PluginTimeoutError],
  UNREADABLE: [UnreadableError],
  SCHEMA_MISMATCH: [SchemaMismatchError],
  DATABASE_UNAVAILABLE: [DatabaseUnavailableError],
};

/** These two are told by name wherever they are told. */
const NAMED: readonly ErrorClass[] = [NonRetryableError, RetryAfterError];

/**
 * Gives a restored error the class that it had, if that is one of durably's own. Its name alone proves nothing, because a job
 * may have a class of that name: it must have the class's `code`, too.
 */
export function revive(error: Error, { name, code, delayMs }: ErrorDetail): void {
  const candidates = code === undefined ? NAMED : CLASSES[code as ErrorCode];
  const found = candidates?.find((each) => each.name === name);
  if (found === undefined) return;
  Object.setPrototypeOf(error, found.prototype);
  const { runId, status, error: text } = ChildRunError.parse(error.message) ?? {};
  if (found === ChildRunError) Object.assign(error, { runId, status, error: text });
  if (error instanceof ValidationError) Object.assign(error, { issues: [] });
  if (delayMs !== undefined) Object.assign(error, { delayMs });
}
