import { ValidationError } from '../errors/errors.ts';
import { readField } from '../errors/thrown.ts';
import { type Duration, parseDuration } from '../time/duration.ts';
import { checkMembers, type MembersOf } from '../validation/known-names.ts';
import { shownValue } from '../validation/shown-value.ts';
import { NonRetryableError, RetryAfterError } from './retry-errors.ts';

/** What a `delay` function receives: the number of the try that failed (1, 2, …), and what it threw. */
export interface FailedTry {
  readonly attempt: number;
  readonly error: unknown;
}

/** How often something that failed is tried again, and when. */
export interface RetryOptions {
  /** How many more tries follow the first one. Three retries are four tries. */
  readonly limit: number;
  /** How long to wait before the first retry, or a function that is called for each retry. Default: 1 s. */
  readonly delay?: Duration | ((failed: FailedTry) => Duration) | undefined;
  /** How the delay grows: it doubles each time (the default), grows by the same amount, or stays the same. */
  readonly backoff?: 'exponential' | 'linear' | 'constant' | undefined;
  /** The longest delay. Default: 5 minutes. */
  readonly maxDelay?: Duration | undefined;
  /** Shortens each delay by up to a half, at random, so that many failures are not tried again at once. Default: true. */
  readonly jitter?: boolean | undefined;
}

/** How many retries there are, or options that also say when. */
export type Retries = number | RetryOptions;

/** Checked {@link Retries}. */
export interface RetryPolicy {
  readonly limit: number;
  readonly delay: number | ((failed: FailedTry) => Duration);
  readonly backoff: 'exponential' | 'linear' | 'constant';
  readonly maxDelayMs: number;
  readonly jitter: boolean;
}

const MEMBERS: MembersOf<RetryOptions> = {
  limit: true,
  delay: true,
  backoff: true,
  maxDelay: true,
  jitter: true,
};

const BACKOFF_KINDS = ['exponential', 'linear', 'constant'];
const MAX_RETRIES = 1_000_000;

const NO_RETRIES: RetryPolicy = {
  limit: 0,
  delay: 1_000,
  backoff: 'exponential',
  maxDelayMs: 300_000,
  jitter: true,
};

/** @throws {ValidationError} that names the option and the value. */
export function parseRetries(option: string, given: unknown): RetryPolicy {
  if (given === undefined) return NO_RETRIES;
  if (typeof given === 'number') return { ...NO_RETRIES, limit: checkLimit(option, given) };
  if (typeof given !== 'object' || given === null) {
    throw refusal(
      option,
      `${option} must be a number of retries or an object with a limit, not ${shownValue(given)}`,
    );
  }
  checkMembers(`${option} option`, given, MEMBERS);
  const {
    limit,
    delay = 1_000,
    backoff = 'exponential',
    maxDelay = '5m',
    jitter = true,
  } = given as RetryOptions;
  if (!BACKOFF_KINDS.includes(backoff)) {
    throw refusal(
      `${option}.backoff`,
      `${option}.backoff must be one of ${BACKOFF_KINDS.join(', ')}, not ${shownValue(backoff)}`,
    );
  }
  if (typeof jitter !== 'boolean')
    throw refusal(`${option}.jitter`, `${option}.jitter must be true or false, not ${shownValue(jitter)}`);
  return {
    limit: checkLimit(`${option}.limit`, limit),
    delay: typeof delay === 'function' ? delay : parseDuration(`${option}.delay`, delay),
    backoff,
    maxDelayMs: parseDuration(`${option}.maxDelay`, maxDelay),
    jitter,
  };
}

function checkLimit(option: string, limit: unknown): number {
  if (Number.isInteger(limit) && (limit as number) >= 0 && (limit as number) <= MAX_RETRIES)
    return limit as number;
  throw refusal(
    option,
    `${option} must be a whole number from 0 to ${MAX_RETRIES}, not ${shownValue(limit)}`,
  );
}

function refusal(option: string, message: string): ValidationError {
  return new ValidationError(message, [{ path: option.split('.'), message }]);
}

/**
 * How long to wait before the next try, in ms; undefined if there is none.
 *
 * @throws whatever a `delay` function throws, and {@link ValidationError} if it returns no duration.
 */
export function nextTryInMs(policy: RetryPolicy, failed: FailedTry): number | undefined {
  if (failed.attempt > policy.limit) return undefined;
  const wish = wishOf(failed.error);
  if (wish === 'never') return undefined;
  if (wish !== undefined) return wish.afterMs;
  const { delay, maxDelayMs, jitter } = policy;
  const delayMs =
    typeof delay === 'function'
      ? parseDuration('retries.delay', delay(failed))
      : grown(delay, policy, failed);
  const boundedMs = Math.min(maxDelayMs, delayMs);
  return Math.round(jitter ? boundedMs * (0.5 + Math.random() / 2) : boundedMs);
}

function grown(delayMs: number, { backoff }: RetryPolicy, { attempt }: FailedTry): number {
  switch (backoff) {
    case 'exponential':
      return delayMs * 2 ** Math.min(attempt - 1, 60);
    case 'linear':
      return delayMs * attempt;
    case 'constant':
      return delayMs;
  }
}

/** How many causes of an error are read, because a chain of causes may be circular. */
const MAX_CAUSES = 20;

/**
 * What an error, or one of its causes, says about further tries. The name of its class is enough,
 * because a bundle may contain two copies of the class.
 */
function wishOf(error: unknown): 'never' | { readonly afterMs: number } | undefined {
  let cause = error;
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth++) {
    try {
      if (cause instanceof NonRetryableError || cause.name === 'NonRetryableError') return 'never';
      if (cause instanceof RetryAfterError || cause.name === 'RetryAfterError') {
        return { afterMs: parseDuration('delayMs', (cause as RetryAfterError).delayMs) };
      }
      cause = readField(cause, 'cause');
    } catch {
      return undefined;
    }
  }
  return undefined;
}
