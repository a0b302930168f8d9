import type { TriggerOptions } from '../../core/durably.ts';
import type { ValidationError } from '../../core/errors/errors.ts';
import { isStorableText } from '../../core/json/json.ts';
import { MAX_KEY_LENGTH } from '../../core/run.ts';
import { parseDuration, parsePositiveDuration, parseTime } from '../../core/time/duration.ts';
import { parseOptionalTimeLimit } from '../../core/time/time-limit.ts';
import { isScope, scopedKey } from '../../core/triggers/key-scope.ts';
import type { Debounce, Due, NewRun } from '../../core/triggers/new-run.ts';
import { checkMembers, type MembersOf } from '../../core/validation/known-names.ts';
import { refusalOf } from '../../core/validation/refusal.ts';
import { shownValue } from '../../core/validation/shown-value.ts';
import { checkLabels, checkPriority } from './run-options.ts';

export const TRIGGER_OPTIONS: MembersOf<TriggerOptions> = {
  idempotencyKey: true,
  idempotencyTtl: true,
  idempotencyKeyReuse: true,
  keyScope: true,
  concurrencyKey: true,
  coalesce: true,
  debounce: true,
  labels: true,
  delay: true,
  runAt: true,
  priority: true,
  ttl: true,
  timeout: true,
  webhook: true,
  trx: true,
};

/** What the options of a trigger say about its run. */
type OptionsOfRun = Omit<NewRun, 'id' | 'jobName' | 'payload' | 'limitKey' | 'throttleKey'>;

const NO_OPTIONS: OptionsOfRun = { idempotencyKey: null, concurrencyKey: null, labels: null };

/** @throws {ValidationError} that names a bad option and its value. */
export function parseTriggerOptions(options: TriggerOptions): OptionsOfRun {
  return Object.keys(options).length === 0 ? NO_OPTIONS : parseGiven(options);
}

function parseGiven(options: TriggerOptions): OptionsOfRun {
  const idempotencyKey = checkKey('idempotencyKey', options.idempotencyKey);
  const scope = scopeOf(options);
  const concurrencyKey = checkKey('concurrencyKey', options.concurrencyKey);
  const debounce = debounceOf(options, scope);
  checkReuse(options);
  checkTransaction(options);
  return {
    idempotencyKey: idempotencyKey === null ? null : scopedKey(scope, idempotencyKey),
    idempotencyTtlMs: idempotencyTtlOf(options),
    concurrencyKey,
    coalesce: coalesceOf(options),
    debounce,
    labels: checkLabels(options.labels),
    due: dueOf(options),
    priority: checkPriority(options.priority),
    ttl: parseOptionalTimeLimit('ttl', options.ttl),
    timeout: parseOptionalTimeLimit('timeout', options.timeout),
    ...(options.webhook != null && { webhook: options.webhook }),
  };
}

function refuse(option: string, message: string): ValidationError {
  return refusalOf([{ path: option.split('.'), message }]);
}

/** @throws {ValidationError} for an option without the one that it is about. */
function needs(options: TriggerOptions, option: keyof TriggerOptions, other: keyof TriggerOptions): void {
  if (options[other] != null) return;
  throw refuse(option, `${option} ${shownValue(options[option])} needs ${String(other)}`);
}

function goesWithout(
  options: TriggerOptions,
  option: keyof TriggerOptions,
  others: readonly (keyof TriggerOptions)[],
): void {
  const other = others.find((each) => options[each] != null);
  if (other !== undefined)
    throw refuse(option, `${named(options, option)} does not go with ${named(options, other)}`);
}

/** An option with its value, of which one that has members of its own shows none. */
function named(options: TriggerOptions, option: keyof TriggerOptions): string {
  const value = options[option];
  return typeof value === 'object' ? option : `${option} ${shownValue(value)}`;
}

export function dueOf({ delay, runAt }: Pick<TriggerOptions, 'delay' | 'runAt'>): Due | undefined {
  if (delay == null) return runAt == null ? undefined : { atMs: parseTime('runAt', runAt) };
  if (runAt == null) return { afterMs: parseDuration('delay', delay) };
  throw refuse('delay', `delay ${shownValue(delay)} does not go with runAt ${shownValue(runAt)}`);
}

function idempotencyTtlOf(options: TriggerOptions): number | undefined {
  const { idempotencyTtl } = options;
  if (idempotencyTtl == null) return undefined;
  needs(options, 'idempotencyTtl', 'idempotencyKey');
  return parsePositiveDuration('idempotencyTtl', idempotencyTtl);
}

function checkReuse({ idempotencyKeyReuse }: TriggerOptions): void {
  if (idempotencyKeyReuse == null || idempotencyKeyReuse === 'return' || idempotencyKeyReuse === 'refuse')
    return;
  throw refuse(
    'idempotencyKeyReuse',
    `idempotencyKeyReuse must be 'return' or 'refuse', not ${shownValue(idempotencyKeyReuse)}`,
  );
}

function checkTransaction({ trx }: TriggerOptions): void {
  if (trx === undefined || trx?.isTransaction === true) return;
  throw refuse('trx', `trx must be a transaction of durably.db, not ${shownValue(trx)}`);
}

function coalesceOf(options: TriggerOptions): NewRun['coalesce'] {
  const { coalesce } = options;
  if (coalesce == null) return undefined;
  if (coalesce !== 'skip' && coalesce !== 'active') {
    throw refuse('coalesce', `coalesce must be 'skip' or 'active', not ${shownValue(coalesce)}`);
  }
  needs(options, 'coalesce', 'concurrencyKey');
  goesWithout(options, 'coalesce', ['debounce']);
  return coalesce;
}

const DEBOUNCE: MembersOf<NonNullable<TriggerOptions['debounce']>> = {
  key: true,
  delay: true,
  maxDelay: true,
};

function debounceOf(options: TriggerOptions, scope: string | undefined): Debounce | undefined {
  const { debounce } = options;
  if (debounce == null) return undefined;
  if (typeof debounce !== 'object')
    throw refuse('debounce', `debounce must be an object, not ${shownValue(debounce)}`);
  checkMembers('member of debounce', debounce, DEBOUNCE);
  goesWithout(options, 'debounce', ['delay', 'runAt']);
  const key = checkKey('debounce.key', debounce.key);
  if (key === null) throw refuse('debounce.key', 'debounce.key is required');
  const { delay, maxDelay } = debounce;
  const delayMs = parsePositiveDuration('debounce.delay', delay);
  const maxDelayMs = maxDelay == null ? undefined : parsePositiveDuration('debounce.maxDelay', maxDelay);
  if (maxDelayMs !== undefined && maxDelayMs < delayMs) {
    const shown = `${shownValue(maxDelay)}, which is shorter than its delay ${shownValue(delay)}`;
    throw refuse('debounce.maxDelay', `debounce.maxDelay must not be ${shown}`);
  }
  return { key: scopedKey(scope, key), delayMs, maxDelayMs };
}

/** Whose keys they are: the idempotency key, and the key of a debounced trigger, which changes the run that it finds. */
function scopeOf(options: TriggerOptions): string | undefined {
  const scope = checkKey('keyScope', options.keyScope) ?? undefined;
  if (scope !== undefined && !isScope(scope)) {
    throw refuse('keyScope', `keyScope must not hold U+001F, as ${shownValue(scope)} does`);
  }
  return scope;
}

function checkKey(name: string, key: unknown): string | null {
  if (key === undefined || key === null) return null;
  if (typeof key !== 'string') throw refuse(name, `${name} must be a string, not ${shownValue(key)}`);
  if (key.length < 1 || key.length > MAX_KEY_LENGTH)
    throw refuse(name, `${name} must have 1 to ${MAX_KEY_LENGTH} characters, not ${shownValue(key)}`);
  if (!isStorableText(key)) {
    throw refuse(name, `${name} must not hold a lone surrogate or a NUL, as ${shownValue(key)} does`);
  }
  return key;
}
