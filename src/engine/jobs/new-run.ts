import type { TriggerOptions } from '../../core/durably.ts';
import { InputTooLargeError, ValidationError } from '../../core/errors/errors.ts';
import { newRunId } from '../../core/id.ts';
import { encodeJson, isStorableText } from '../../core/json/json.ts';
import { isScope, scopedKey } from '../../core/key-scope.ts';
import { MAX_KEY_LENGTH } from '../../core/run.ts';
import type { Due, NewRun } from '../../core/store.ts';
import { parseDuration, parseTime } from '../../core/time/duration.ts';
import { parseOptionalTimeLimit } from '../../core/time/time-limit.ts';
import { checkMembers, type MembersOf } from '../../core/validation/known-names.ts';
import { refusalOf } from '../../core/validation/refusal.ts';
import type { JobDefinition } from './define-job.ts';
import { limitKeysOf } from './job-limits.ts';
import { checkLabels, checkPriority } from './run-options.ts';
import { parseWith } from './schema-parse.ts';

/** The inputs of a batch are stored in one transaction, which holds up every other write. */
const MAX_BATCH_CHARS = 64 * 1024 * 1024;

export const TRIGGER_OPTIONS: MembersOf<TriggerOptions> = {
  idempotencyKey: true,
  keyScope: true,
  concurrencyKey: true,
  labels: true,
  delay: true,
  runAt: true,
  priority: true,
  ttl: true,
  timeout: true,
};

interface Trigger {
  readonly input: unknown;
  readonly options?: TriggerOptions | undefined;
}

/** A trigger whose input the job's schema has parsed. */
interface ParsedTrigger {
  readonly input: unknown;
  readonly options: TriggerOptions;
}

/** @throws {ValidationError} for a bad input or option. */
export async function newRun(job: JobDefinition, trigger: Trigger, maxBytes: number): Promise<NewRun> {
  return toNewRun(job, await parseTrigger(job, trigger), maxBytes);
}

/** @throws {ValidationError} for a bad input or an unknown option. */
export async function parseTrigger(
  job: JobDefinition,
  { input, options = {} }: Trigger,
): Promise<ParsedTrigger> {
  checkMembers('trigger option', options, TRIGGER_OPTIONS);
  const parsed = await parseWith(job.input, input);
  if (parsed.ok) return { input: parsed.value, options };
  throw new ValidationError(`Invalid input for job ${job.name}: ${parsed.summary}`, parsed.issues);
}

function toNewRun(job: JobDefinition, { input, options }: ParsedTrigger, maxBytes: number): NewRun {
  const encoding = encodeJson(input, { maxBytes });
  if (!encoding.ok) {
    const issues = [{ path: [], message: encoding.reason }];
    const Refusal = encoding.isTooLarge ? InputTooLargeError : ValidationError;
    throw new Refusal(`Invalid input for job ${job.name}: ${encoding.reason}`, issues);
  }
  const payload = encoding.text ?? 'null';
  return {
    id: newRunId(),
    jobName: job.name,
    payload,
    ...limitKeysOf(job, payload),
    idempotencyKey: idempotencyKeyOf(options),
    concurrencyKey: checkKey('concurrencyKey', options.concurrencyKey),
    labels: checkLabels(options.labels),
    due: dueOf(options),
    priority: checkPriority(options.priority),
    ttl: parseOptionalTimeLimit('ttl', options.ttl),
    timeout: parseOptionalTimeLimit('timeout', options.timeout),
  };
}

/**
 * All runs of a batch are stored at once, so the size of their inputs is limited while they are
 * made. @throws {InputTooLargeError}
 */
export function newRuns(job: JobDefinition, triggers: readonly ParsedTrigger[], maxBytes: number): NewRun[] {
  let chars = 0;
  return triggers.map((trigger) => {
    const run = toNewRun(job, trigger, maxBytes);
    chars += run.payload.length;
    if (chars <= MAX_BATCH_CHARS) return run;
    throw new InputTooLargeError(
      `The inputs of a batch may have ${MAX_BATCH_CHARS} characters of JSON together, these have more`,
    );
  });
}

function dueOf({ delay, runAt }: TriggerOptions): Due | undefined {
  if (delay == null) return runAt == null ? undefined : { atMs: parseTime('runAt', runAt) };
  if (runAt == null) return { afterMs: parseDuration('delay', delay) };
  const message = 'delay does not go with runAt';
  throw new ValidationError(message, [{ path: ['delay'], message }]);
}

function idempotencyKeyOf(options: TriggerOptions): string | null {
  const key = checkKey('idempotencyKey', options.idempotencyKey);
  const scope = checkKey('keyScope', options.keyScope) ?? undefined;
  if (scope !== undefined && !isScope(scope)) throw new ValidationError('keyScope must not hold U+001F');
  return key === null ? null : scopedKey(scope, key);
}

function checkKey(name: 'idempotencyKey' | 'concurrencyKey' | 'keyScope', key: unknown): string | null {
  if (key === undefined || key === null) return null;
  const refuse = (message: string) => refusalOf([{ path: [name], message: `${name} ${message}` }]);
  if (typeof key !== 'string') throw refuse('must be a string');
  if (key.length < 1 || key.length > MAX_KEY_LENGTH)
    throw refuse(`must have 1 to ${MAX_KEY_LENGTH} characters`);
  if (!isStorableText(key)) throw refuse('must not hold a lone surrogate or a NUL');
  return key;
}
