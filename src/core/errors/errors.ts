// This file does not know HTTP. `http/problem.ts` maps errors to statuses.

/** The stable `code` of every error that a caller can meet. */
export type ErrorCode =
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'VALIDATION'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'TIMEOUT'
  | 'RUN_ENDED'
  | 'CHILD_RUN'
  | 'RUN_CANCELLED'
  | 'RUN_TIMEOUT'
  | 'LEASE_LOST'
  | 'STEP'
  | 'PLUGIN'
  | 'PLUGIN_TIMEOUT'
  | 'UNREADABLE'
  | 'SCHEMA_MISMATCH'
  | 'DATABASE_UNAVAILABLE'
  // Only a client meets these: see service-errors.ts.
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'RATE_LIMITED'
  | 'SERVICE'
  | 'SERVICE_UNAVAILABLE';

/**
 * Any error that durably throws itself. Tell them apart by `code`, or by their class.
 *
 * @example
 * import { DurablyError } from 'durably'
 * try {
 *   await durably.cancel(runId)
 * } catch (error) {
 *   if (!(error instanceof DurablyError && error.code === 'CONFLICT')) throw error
 * }
 */
export class DurablyError extends Error {
  /** Stable: messages may change, codes don't. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** There is no run with that id, or no registered job with that name. */
export class NotFoundError extends DurablyError {
  constructor(message: string) {
    super('NOT_FOUND', message);
  }
}

/** No job is registered under that name. The message names the registered one that is nearest. */
export class UnknownJobError extends NotFoundError {
  /** The message without the names of other jobs, for callers who may not see them. */
  readonly bareMessage: string;

  constructor(jobName: string, nearest: string | undefined) {
    const bareMessage = `Job not found: ${jobName}`;
    super(nearest === undefined ? bareMessage : `${bareMessage}; did you mean "${nearest}"?`);
    this.name = 'NotFoundError';
    this.bareMessage = bareMessage;
  }
}

/** The thing exists but is in a state that forbids the request; the message names the state. */
export class ConflictError extends DurablyError {
  constructor(message: string) {
    super('CONFLICT', message);
  }
}

/** The idempotency key already has a run with another input, and the trigger asked to be refused in that case. */
export class IdempotencyKeyReusedError extends DurablyError {
  constructor() {
    super('IDEMPOTENCY_KEY_REUSED', 'This idempotency key was used with another input');
  }
}

/** One mistake in an input: its place (keys and indexes from the root) and what is wrong. */
export interface ValidationIssue {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** An option, filter, key or job input was refused. Nothing was changed. */
export class ValidationError extends DurablyError {
  readonly issues: readonly ValidationIssue[];

  constructor(message: string, issues: readonly ValidationIssue[] = []) {
    super('VALIDATION', message);
    this.issues = issues;
  }
}

/** A job's input has more bytes of JSON than `maxResultBytes`. */
export class InputTooLargeError extends ValidationError {}

/** `triggerAndWait` stopped waiting. The run goes on. */
export class TimeoutError extends DurablyError {
  constructor(message: string) {
    super('TIMEOUT', message);
  }
}

/**
 * The run that `triggerAndWait` waits for failed, was cancelled or was deleted. If it failed,
 * `cause` is the run's error as it was stored.
 */
export class RunEndedError extends DurablyError {
  readonly runId: string;
  readonly ending: 'failed' | 'cancelled' | 'deleted';

  constructor(
    ended: { runId: string; ending: 'failed' | 'cancelled' | 'deleted'; message: string },
    options?: ErrorOptions,
  ) {
    super('RUN_ENDED', ended.message, options);
    this.runId = ended.runId;
    this.ending = ended.ending;
  }
}

/** The run that `step.invoke` waits for did not complete. */
export class ChildRunError extends DurablyError {
  /** The id of that run. */
  readonly runId: string;
  readonly status: 'failed' | 'cancelled' | 'deleted';
  /** Why it failed, in short; null unless it failed. */
  readonly error: string | null;

  constructor({ runId, status, error }: Pick<ChildRunError, 'runId' | 'status' | 'error'>) {
    const what = status === 'failed' ? `failed: ${error}` : `was ${status}`;
    super('CHILD_RUN', `Run ${runId} ${what}`);
    this.runId = runId;
    this.status = status;
    this.error = error;
  }

  /** The error with that message; undefined if it is none of such an error. */
  static parse(message: string): ChildRunError | undefined {
    const [, runId, error, status = 'failed'] =
      /^Run (\S+) (?:failed: ([\s\S]*)|was (cancelled|deleted))$/.exec(message) ?? [];
    if (runId === undefined) return undefined;
    return new ChildRunError({ runId, status: status as ChildRunError['status'], error: error ?? null });
  }
}

/** The run was cancelled. `step.run` throws it, and it is the reason of a step's aborted signal. */
export class RunCancelledError extends DurablyError {
  constructor(runId: string) {
    super('RUN_CANCELLED', `Run ${runId} was cancelled`);
  }
}

/**
 * The `timeout` of the run is over, and the run has failed with the same message. `step.run` throws it, and it is the
 * reason of a step's aborted signal.
 */
export class RunTimeoutError extends DurablyError {
  /** @param timeout as it was given, such as `2h`. */
  constructor(timeout: string) {
    super('RUN_TIMEOUT', `timed out after ${timeout}`);
  }
}

/**
 * This worker no longer owns the run: another worker took it over, it was handed back, or it ended. `step.run` throws it,
 * and it is the reason of a step's aborted signal.
 */
export class LeaseLostError extends DurablyError {
  constructor(message: string) {
    super('LEASE_LOST', message);
  }
}

/** A step was called wrongly, or returned what JSON can't hold. The message names the step. */
export class StepError extends DurablyError {
  constructor(message: string, options?: ErrorOptions) {
    super('STEP', message, options);
  }
}

/** The step's `timeout` is over. Its try fails with this error, and it is the reason of the step's aborted signal. */
export class StepTimeoutError extends StepError {
  constructor(stepName: string, timeoutMs: number) {
    super(`Step "${stepName}" timed out after ${timeoutMs} ms`);
  }
}

/** A plugin did what its hook may not do, or could not encode a value. The message names the plugin. */
export class PluginError extends DurablyError {
  constructor(pluginName: string, what: string, options?: ErrorOptions) {
    super('PLUGIN', `Plugin "${pluginName}" ${what}`, options);
  }
}

/**
 * A plugin's `onTrigger`, `encode` or `decode` has not answered in time. The message names the plugin and the hook. It may answer
 * the next time.
 */
export class PluginTimeoutError extends PluginError {
  override readonly code: ErrorCode = 'PLUGIN_TIMEOUT';

  constructor(pluginName: string, { hook, withinMs }: { readonly hook: string; readonly withinMs: number }) {
    super(pluginName, `has not answered ${hook} within ${withinMs / 1000} s`);
  }
}

/**
 * A value was stored by a plugin's `encode`, and can't be decoded here: the process lacks the plugin, or the plugin a key. A
 * run that needs the value fails. It can be retried where the value can be read.
 */
export class UnreadableError extends DurablyError {
  constructor(message: string, options?: ErrorOptions) {
    super('UNREADABLE', message, options);
  }
}

/** The database holds tables of our names that are not ours, or those of a newer version. */
export class SchemaMismatchError extends DurablyError {
  constructor(message: string, options?: ErrorOptions) {
    super('SCHEMA_MISMATCH', message, options);
  }
}

/**
 * The database can't be reached, stayed busy too long, has no space, or is not
 * migrated. The driver's own error is the `cause`; it may hold internal text.
 */
export class DatabaseUnavailableError extends DurablyError {
  /** Whether no later try on this connection can succeed. */
  readonly permanent: boolean;

  constructor(message: string, { permanent = false, cause }: { permanent?: boolean; cause?: unknown } = {}) {
    super('DATABASE_UNAVAILABLE', message, { cause });
    this.permanent = permanent;
  }
}
