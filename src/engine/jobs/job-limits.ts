import { errorMessage } from '../../core/errors/error-text.ts';
import { ValidationError } from '../../core/errors/errors.ts';
import { isStorableText } from '../../core/json/json.ts';
import { MAX_KEY_LENGTH } from '../../core/run.ts';
import { type Duration, parseDuration } from '../../core/time/duration.ts';
import type { JobLimits, LimitKeys, Throttle } from '../../core/triggers/limits.ts';
import { checkMembers, type MembersOf } from '../../core/validation/known-names.ts';
import { refuseMember } from '../../core/validation/refusal.ts';
import { shownValue } from '../../core/validation/shown-value.ts';

/** The most runs that a limit or a throttle can name. */
const MAX_LIMIT = 100_000;

/** How many runs of a job are executed at once, over all processes on the database. */
export interface Concurrency<TPayload = unknown> {
  /** At most this many runs of the job. 1 to 100,000. */
  readonly limit?: number | undefined;
  /** The key for `perKey`, made from the payload when a run is triggered. Of 0 to 256 UTF-16 units. */
  key?(payload: TPayload): string;
  /** At most this many runs with the same key. Needs `key`. 1 to 100,000. */
  readonly perKey?: number | undefined;
  /** Whether a run that waits lets others have its place and its concurrency key. Default: `release`. */
  readonly whileWaiting?: 'release' | 'hold' | undefined;
}

/** How many runs of a job start in a while, over all processes on the database. The others wait in order. */
export interface ThrottleOptions<TPayload = unknown> {
  /** So many runs may start at once. After that, one starts each `per / limit`. 1 to 100,000. */
  readonly limit: number;
  readonly per: Duration;
  /** Counts for each key, made from the payload when a run is triggered. */
  key?(payload: TPayload): string;
}

/** What a job says of its limits. */
export interface LimitOptions<TPayload = unknown> {
  readonly concurrency?: Concurrency<TPayload> | undefined;
  readonly throttle?: ThrottleOptions<TPayload> | undefined;
}

const CONCURRENCY: MembersOf<Concurrency> = { limit: true, key: true, perKey: true, whileWaiting: true };
const THROTTLE: MembersOf<ThrottleOptions> = { limit: true, per: true, key: true };

/** The limits of a job. Undefined if it has none. @throws {ValidationError} that names a bad option and its value. */
export function limitsOf(job: { readonly name: string } & LimitOptions): JobLimits | undefined {
  const { name, concurrency, throttle } = job;
  if (concurrency === undefined && throttle === undefined) return undefined;
  return {
    jobName: name,
    limit: undefined,
    perKey: undefined,
    whileWaiting: 'release',
    ...parseConcurrency(concurrency),
    throttle: parseThrottle(throttle),
  };
}

function parseConcurrency(
  concurrency: Concurrency | undefined,
): Partial<Pick<JobLimits, 'limit' | 'perKey' | 'whileWaiting'>> {
  if (concurrency === undefined) return {};
  checkObject('concurrency', concurrency);
  checkMembers('member of concurrency', concurrency, CONCURRENCY);
  const { limit, key, perKey, whileWaiting = 'release' } = concurrency;
  checkKeyFunction('concurrency.key', key);
  if ((key === undefined) !== (perKey === undefined)) {
    const [given, missing] = key === undefined ? ['perKey', 'key'] : ['key', 'perKey'];
    throw refuseMember(`concurrency.${missing}`, `is needed with concurrency.${given}`);
  }
  if (whileWaiting !== 'release' && whileWaiting !== 'hold') {
    throw refuseMember(
      'concurrency.whileWaiting',
      `must be 'release' or 'hold', not ${shownValue(whileWaiting)}`,
    );
  }
  return {
    limit: limit === undefined ? undefined : checkLimit('concurrency.limit', limit),
    perKey: perKey === undefined ? undefined : checkLimit('concurrency.perKey', perKey),
    whileWaiting,
  };
}

function parseThrottle(throttle: ThrottleOptions | undefined): Throttle | undefined {
  if (throttle === undefined) return undefined;
  checkObject('throttle', throttle);
  checkMembers('member of throttle', throttle, THROTTLE);
  const { limit, per, key } = throttle;
  checkKeyFunction('throttle.key', key);
  const perMs = parseDuration('throttle.per', per);
  if (perMs < 1) throw refuseMember('throttle.per', `must be at least 1 ms, not ${shownValue(per)}`);
  return { limit: checkLimit('throttle.limit', limit), perMs, isKeyed: key !== undefined };
}

function checkObject(name: string, value: unknown): void {
  if (typeof value !== 'object' || value === null)
    throw refuseMember(name, `must be an object, not ${shownValue(value)}`);
}

function checkLimit(name: string, value: unknown): number {
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_LIMIT) return Number(value);
  throw refuseMember(name, `must be a whole number from 1 to ${MAX_LIMIT}, not ${shownValue(value)}`);
}

function checkKeyFunction(name: string, key: unknown): void {
  if (key !== undefined && typeof key !== 'function')
    throw refuseMember(name, `must be a function, not ${shownValue(key)}`);
}

/**
 * The keys of a new run for the limits of its job.
 *
 * @param payload JSON text
 * @throws {ValidationError} if the job's function throws, or does not return a key.
 */
export function limitKeysOf(
  { name, concurrency, throttle }: { readonly name: string } & LimitOptions,
  payload: string,
): LimitKeys {
  if (concurrency === undefined && throttle === undefined) return NO_KEYS;
  const limitKey = keyOf({ job: name, option: 'concurrency.key', make: concurrency?.key, payload });
  if (throttle === undefined) return limitKey === undefined ? NO_KEYS : { limitKey };
  const throttleKey = keyOf({ job: name, option: 'throttle.key', make: throttle.key, payload }) ?? null;
  return { limitKey, throttleKey };
}

const NO_KEYS: LimitKeys = {};

function keyOf({
  job,
  option,
  make,
  payload,
}: {
  readonly job: string;
  readonly option: string;
  readonly make: ((payload: unknown) => unknown) | undefined;
  readonly payload: string;
}): string | undefined {
  if (make === undefined) return undefined;
  let key: unknown;
  try {
    key = make(JSON.parse(payload));
  } catch (error) {
    throw new ValidationError(`${option} of job ${job} has thrown: ${errorMessage(error)}`);
  }
  const refuseKey = (message: string) => new ValidationError(`${option} of job ${job} ${message}`);
  if (typeof key !== 'string') throw refuseKey(`must return a string, not ${shownValue(key)}`);
  if (key.length > MAX_KEY_LENGTH)
    throw refuseKey(`must return at most ${MAX_KEY_LENGTH} characters, not ${shownValue(key)}`);
  if (!isStorableText(key)) {
    throw refuseKey(`must not return a lone surrogate or a NUL, as ${shownValue(key)} does`);
  }
  return key;
}
