import type { z } from 'zod';
import { ValidationError } from '../../core/errors/errors.ts';
import { isA } from '../../core/errors/thrown.ts';
import { isStorableText, type Jsonified } from '../../core/json/json.ts';
import type { JobTerms } from '../../core/ownership/claim.ts';
import { parseRetries, type Retries } from '../../core/retries/retry.ts';
import { JOB_SCHEDULE_MEMBERS, parseScheduleRule } from '../../core/schedules/rule.ts';
import type { JobSchedule } from '../../core/schedules/schedule.ts';
import type { RunStepOptions, StepContext } from '../../core/step.ts';
import { type Duration, parsePositiveDuration } from '../../core/time/duration.ts';
import { parseOptionalTimeLimit } from '../../core/time/time-limit.ts';
import { parseFlag } from '../../core/validation/flag.ts';
import { checkMembers, type MembersOf } from '../../core/validation/known-names.ts';
import { shownValue } from '../../core/validation/shown-value.ts';
import { WEBHOOK_JOB } from '../../core/webhooks/webhooks.ts';
import { type LimitOptions, limitsOf } from './job-limits.ts';
import { checkLabels, checkPriority } from './run-options.ts';

/** A job's output as it reads back. Null if nothing was returned. */
export type StoredOutput<T> = [T] extends [undefined | void] ? null : Jsonified<T>;

/**
 * A job: its name, the schema of its input, and its function. `TInput` is what `trigger` accepts.
 * `TPayload` is what `run` receives: the parsed input as JSON expresses it, where a Date is a
 * string. `TOutput` is what callers read back.
 */
export interface JobDefinition<
  TName extends string = string,
  TInput = unknown,
  TPayload = unknown,
  TOutput = unknown,
> extends LimitOptions<TPayload> {
  readonly name: TName;
  readonly input: z.ZodType<unknown, TInput>;
  readonly output?: z.ZodType | undefined;
  run(step: StepContext, payload: TPayload): unknown;
  /** How often a run whose job threw is tried again, and when. Finished steps keep their results. */
  readonly retries?: Retries | undefined;
  /** The options of its steps, unless a step has its own. */
  readonly defaults?: RunStepOptions | undefined;
  /**
   * How long a run may take from its first start to its end, its waits and retries included, unless its
   * trigger says otherwise. A retry by hand starts a new count.
   */
  readonly timeout?: Duration | undefined;
  /** A whole number. Default: 1. A run keeps the version of its first start, which is `step.version`. */
  readonly version?: number | undefined;
  /** Triggers runs by itself. Its id is the name of the job. */
  readonly schedule?: JobSchedule<TInput> | undefined;
  /** Carries the output's type; never set. */
  readonly '~output'?: TOutput;
}

interface JobOptions<TPayload> extends LimitOptions<TPayload> {
  readonly retries?: Retries | undefined;
  readonly defaults?: RunStepOptions | undefined;
  readonly timeout?: Duration | undefined;
  readonly version?: number | undefined;
}

/** Takes lists that are read-only, too: the literals of a constant type parameter are. */
type Constant<T> = unknown extends T
  ? T
  : T extends string | number | bigint | boolean | symbol | null | undefined | Date
    ? T
    : { readonly [K in keyof T]: Constant<T[K]> };

interface JobWithOutput<TName extends string, TIn extends z.ZodType, TOut extends z.ZodType, TResult>
  extends JobOptions<Jsonified<z.output<TIn>>> {
  readonly name: TName;
  readonly input: TIn;
  readonly output: TOut;
  readonly schedule?: JobSchedule<z.input<TIn>> | undefined;
  run(step: StepContext, payload: Jsonified<z.output<TIn>>): TResult | Promise<TResult>;
}

interface JobWithoutOutput<TName extends string, TIn extends z.ZodType, TResult>
  extends JobOptions<Jsonified<z.output<TIn>>> {
  readonly name: TName;
  readonly input: TIn;
  readonly output?: undefined;
  readonly schedule?: JobSchedule<z.input<TIn>> | undefined;
  run(step: StepContext, payload: Jsonified<z.output<TIn>>): TResult | Promise<TResult>;
}

/**
 * Declares a job. Its input is parsed once, when a run is triggered; its output
 * is parsed when `run` returns, and stored parsed.
 *
 * @throws {ValidationError} for a definition without a usable name, schema or `run`.
 * @example
 * const greet = defineJob({
 *   name: 'greet',
 *   input: z.object({ name: z.string() }),
 *   run: async (step, { name }) => ({ text: await step.run('compose', () => `Hello ${name}`) }),
 * })
 */
export function defineJob<
  const TName extends string,
  TIn extends z.ZodType,
  TOut extends z.ZodType,
  // Constant, so that a literal that `run` returns is not widened before it is compared with the schema.
  const TResult extends Constant<z.input<TOut>>,
>(
  job: JobWithOutput<TName, TIn, TOut, TResult>,
): JobDefinition<TName, z.input<TIn>, Jsonified<z.output<TIn>>, StoredOutput<z.output<TOut>>>;
export function defineJob<const TName extends string, TIn extends z.ZodType, TResult>(
  job: JobWithoutOutput<TName, TIn, TResult>,
): JobDefinition<TName, z.input<TIn>, Jsonified<z.output<TIn>>, StoredOutput<TResult>>;
export function defineJob(job: JobDefinition): JobDefinition {
  checkDefinition(job);
  return Object.freeze({ ...job });
}

const DEFINITION: MembersOf<JobDefinition> = {
  name: true,
  input: true,
  output: true,
  run: true,
  retries: true,
  defaults: true,
  timeout: true,
  version: true,
  concurrency: true,
  throttle: true,
  schedule: true,
  '~output': true,
};

/** @throws {ValidationError} */
export function checkDefinition(job: JobDefinition): void {
  if (typeof job !== 'object' || job === null || isA(job, Promise)) {
    throw new ValidationError(
      `A job must be given as an object with a name, an input and a run, not ${shownValue(job)}`,
    );
  }
  const { name, input, output, run } = job;
  if (typeof name !== 'string' || name === '')
    throw new ValidationError(`A job needs a non-empty name, not ${shownValue(name)}`);
  if (name === WEBHOOK_JOB) throw new ValidationError(`Job name "${name}" is reserved for webhooks`);
  if (!isStorableText(name)) {
    throw new ValidationError(`Job name ${shownValue(name)} holds a lone surrogate or a NUL`);
  }
  if (!isSchema(input)) {
    throw new ValidationError(`Job ${name}: input must be a zod schema, not ${shownValue(input)}`);
  }
  if (output !== undefined && !isSchema(output)) {
    throw new ValidationError(`Job ${name}: output must be a zod schema, not ${shownValue(output)}`);
  }
  if (typeof run !== 'function') {
    throw new ValidationError(`Job ${name}: run must be a function, not ${shownValue(run)}`);
  }
  checkMembers('job definition member', job, DEFINITION);
  parseRetries('retries', job.retries);
  checkMembers('default of a step', job.defaults, STEP_DEFAULTS);
  parseRetries('defaults.retries', job.defaults?.retries);
  parseFlag('defaults.sensitive', job.defaults?.sensitive);
  if (job.defaults?.timeout !== undefined) parsePositiveDuration('defaults.timeout', job.defaults.timeout);
  termsOf(job);
  limitsOf(job);
  if (job.schedule !== undefined) checkFixedSchedule(job.schedule);
}

/** The input is parsed when the schedule is stored, because a schema may take time. @throws {ValidationError} */
function checkFixedSchedule(schedule: JobSchedule): void {
  checkMembers('member of schedule', schedule, JOB_SCHEDULE_MEMBERS);
  parseScheduleRule(schedule, 'schedule.');
  checkLabels(schedule.labels);
  checkPriority(schedule.priority);
}

/** The terms that its runs keep from their first start on. @throws {ValidationError} that names a bad option and its value. */
export function termsOf({ name, version = 1, timeout }: JobDefinition): JobTerms {
  if (!Number.isSafeInteger(version) || version < 1) {
    const message = `version must be a whole number, 1 or more, not ${shownValue(version)}`;
    throw new ValidationError(message, [{ path: ['version'], message }]);
  }
  return { jobName: name, version, timeout: parseOptionalTimeLimit('timeout', timeout) };
}

const STEP_DEFAULTS: MembersOf<RunStepOptions> = { retries: true, timeout: true, sensitive: true };

function isSchema(value: unknown): boolean {
  return typeof (value as { safeParse?: unknown } | null)?.safeParse === 'function';
}
