import { type Duration, parseDuration } from '../time/duration.ts';

/**
 * Throw it in a step or a job to fail it at once, whatever retries are left. It may be the
 * `cause` of another error.
 *
 * @example
 * import { NonRetryableError } from 'durably'
 * throw new NonRetryableError('there is no such order')
 */
export class NonRetryableError extends Error {
  override readonly name = 'NonRetryableError';
}

/**
 * Throw it in a step or a job to say when the next try begins, if one is left. It counts as a
 * try like any other, and may be the `cause` of another error.
 *
 * @example
 * import { RetryAfterError } from 'durably'
 * throw new RetryAfterError('too many requests', '30s')
 */
export class RetryAfterError extends Error {
  override readonly name = 'RetryAfterError';
  /** How long to wait before the next try, ms. */
  readonly delayMs: number;

  /** @throws {ValidationError} if the delay is no duration. */
  constructor(message: string, delay: Duration, options?: ErrorOptions) {
    super(message, options);
    this.delayMs = parseDuration('delay', delay);
  }
}
