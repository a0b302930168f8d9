import type { z } from 'zod';
import { ValidationError } from '../../core/errors/errors.ts';
import { isStorableText, type Jsonified } from '../../core/json/json.ts';
import type { StepContext } from '../../core/step.ts';
import { checkMembers, type MembersOf } from '../../core/validation/known-names.ts';

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
> {
  readonly name: TName;
  readonly input: z.ZodType<unknown, TInput>;
  readonly output?: z.ZodType | undefined;
  run(step: StepContext, payload: TPayload): unknown;
  /** Carries the output's type; never set. */
  readonly '~output'?: TOutput;
}

interface JobWithOutput<TName extends string, TIn extends z.ZodType, TOut extends z.ZodType> {
  readonly name: TName;
  readonly input: TIn;
  readonly output: TOut;
  run(step: StepContext, payload: Jsonified<z.output<TIn>>): z.input<TOut> | Promise<z.input<TOut>>;
}

interface JobWithoutOutput<TName extends string, TIn extends z.ZodType, TResult> {
  readonly name: TName;
  readonly input: TIn;
  readonly output?: undefined;
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
export function defineJob<const TName extends string, TIn extends z.ZodType, TOut extends z.ZodType>(
  job: JobWithOutput<TName, TIn, TOut>,
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
  '~output': true,
};

/** @throws {ValidationError} */
export function checkDefinition(job: JobDefinition): void {
  const { name, input, output, run } = job;
  if (typeof name !== 'string' || name === '') throw new ValidationError('A job needs a non-empty name');
  if (!isStorableText(name)) {
    throw new ValidationError(`Job name ${JSON.stringify(name)} holds a lone surrogate or a NUL`);
  }
  if (!isSchema(input)) throw new ValidationError(`Job ${name}: input must be a zod schema`);
  if (output !== undefined && !isSchema(output)) {
    throw new ValidationError(`Job ${name}: output must be a zod schema`);
  }
  if (typeof run !== 'function') throw new ValidationError(`Job ${name}: run must be a function`);
  checkMembers('job definition member', job, DEFINITION);
}

function isSchema(value: unknown): boolean {
  return typeof (value as { safeParse?: unknown } | null)?.safeParse === 'function';
}
