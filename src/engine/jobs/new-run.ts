import type { TriggerOptions } from '../../core/durably.ts';
import { InputTooLargeError, ValidationError } from '../../core/errors/errors.ts';
import { newRunId } from '../../core/id.ts';
import { encodeJson } from '../../core/json/json.ts';
import type { NewRun } from '../../core/triggers/new-run.ts';
import { checkMembers } from '../../core/validation/known-names.ts';
import type { JobDefinition } from './define-job.ts';
import { limitKeysOf } from './job-limits.ts';
import { parseWith } from './schema-parse.ts';
import { parseTriggerOptions, TRIGGER_OPTIONS } from './trigger-options.ts';

/** The inputs of a batch are stored in one transaction, which holds up every other write. */
const MAX_BATCH_CHARS = 64 * 1024 * 1024;

interface Trigger {
  readonly input: unknown;
  readonly options?: TriggerOptions | undefined;
}

/** A trigger whose input the job's schema has parsed. */
export interface ParsedTrigger {
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
    ...parseTriggerOptions(options),
  };
}

/** A run of a batch. @throws {ValidationError} for a bad input or option, and for one that only a single trigger can have. */
export function newRunOfBatch(job: JobDefinition, trigger: ParsedTrigger, maxBytes: number): NewRun {
  if (trigger.options.trx !== undefined) {
    const message = 'trx does not go with a batch';
    throw new ValidationError(message, [{ path: ['trx'], message }]);
  }
  // By the time the inputs are compared, the other runs are stored.
  if (trigger.options.idempotencyKeyReuse === 'refuse') {
    const message = "idempotencyKeyReuse can't be 'refuse' in a batch";
    throw new ValidationError(message, [{ path: ['idempotencyKeyReuse'], message }]);
  }
  return toNewRun(job, trigger, maxBytes);
}

/** All runs of a batch are stored at once, so the size of their inputs is limited. @throws {InputTooLargeError} */
export function checkBatchSize(runs: Iterable<NewRun>): NewRun[] {
  const checked: NewRun[] = [];
  let chars = 0;
  for (const run of runs) {
    chars += run.payload.length;
    if (chars > MAX_BATCH_CHARS) {
      throw new InputTooLargeError(
        `The inputs of a batch may have ${MAX_BATCH_CHARS} characters of JSON together, these have more`,
      );
    }
    checked.push(run);
  }
  return checked;
}
