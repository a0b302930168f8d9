import type { z } from 'zod';
import type { ErrorDetail } from './errors/error-detail.ts';
import type { Jsonified } from './json/json.ts';
import type { JsonText } from './json/json-text.ts';
import { withShownTexts } from './json/sealed.ts';
import type { LogLevel } from './log-line.ts';
import type { Retries } from './retries/retry.ts';
import { parseDetail } from './run.ts';
import type { Duration } from './time/duration.ts';
import type { AnyTransaction } from './triggers/any-transaction.ts';
import type { CallerTransaction, ChildTrigger } from './triggers/trigger-options.ts';

/** What a step does: calls a function, waits for a time or a signal, starts another run, or calls a function in a transaction. */
export const STEP_KINDS = ['run', 'sleep', 'signal', 'invoke', 'transaction'] as const;
/** Which kind of step it is: `run`, `sleep`, `signal`, `invoke` or `transaction`. */
export type StepKind = (typeof STEP_KINDS)[number];

/** A finished step as callers see it. Times are ISO 8601 UTC with ms. */
export interface Step<TOutput = unknown> {
  readonly name: string;
  /** 0-based order in which the attempt that stored it first called its steps. */
  readonly index: number;
  readonly kind: StepKind;
  readonly status: 'completed' | 'failed';
  readonly output: TOutput;
  /** Why it failed, in short; null unless it failed. */
  readonly error: string | null;
  /** The error that failed it: name, message, stack, code and causes; null unless it failed. */
  readonly errorDetail: ErrorDetail | null;
  readonly startedAt: string;
  readonly completedAt: string;
}

/** A step as it is stored. */
export type StoredStep = Omit<Step<JsonText | null>, 'errorDetail'> & {
  readonly errorDetail: JsonText | null;
};

export function parseStep(stored: StoredStep): Step {
  const { output, errorDetail } = stored;
  return {
    ...withShownTexts(stored),
    output: output?.parse() ?? null,
    errorDetail: parseDetail(errorDetail),
  };
}

type LogFunction = (message: string, data?: unknown) => void;

/** What a step does when it fails or takes long. */
export interface RunStepOptions {
  /**
   * How often a step that failed is tried again, and when. The job does not notice it: the step's
   * promise stays pending. Default: no retries.
   */
  readonly retries?: Retries | undefined;
  /** How long one try may take. Then its signal aborts with a {@link StepTimeoutError}, and the try has failed. */
  readonly timeout?: Duration | undefined;
  /**
   * Its result and its errors are for the job alone: everybody else sees `[redacted]`, in reads, events, streams and logs. The
   * job gets them as ever, in replays and forks too. They are stored as they are: only encryption hides them in the database.
   *
   * @example const key = await step.run('read key', { sensitive: true }, () => secrets.dashboardKey)
   */
  readonly sensitive?: boolean | undefined;
}

/** What a step's function receives besides its signal. */
export interface StepTry {
  /** Which try of the step this is: 1, 2, … */
  readonly attempt: number;
}

/** The function of a step. Its signal aborts when the worker has lost the run, or when the try's time is up. */
export type StepFunction<T> = (signal: AbortSignal, about: StepTry) => T | Promise<T>;

/** The function of a step that writes in a transaction: a {@link StepFunction} with the transaction as its first argument. */
export type TransactionFunction<T, TTrx> = (trx: TTrx, signal: AbortSignal, about: StepTry) => T | Promise<T>;

/** How a step waits for a signal. */
export interface WaitForSignalOptions<S extends z.ZodType = z.ZodType> {
  /** The name of the signal. Default: the name of the step. */
  readonly signal?: string | undefined;
  /** How long it waits. Default: without a limit. */
  readonly timeout?: Duration | undefined;
  /** Parses the payload. A payload that it refuses fails the step. */
  readonly schema?: S | undefined;
}

/** A job that a step triggers: its definition. */
export interface JobReference<TInput, TOutput> {
  readonly name: string;
  readonly input: z.ZodType<unknown, TInput>;
  readonly '~output'?: TOutput;
}

/** What a job's `run` receives as its first argument. */
export interface StepContext {
  /** The id of the run that executes. */
  readonly runId: string;
  /** Which try of the run this is: 1 for the first, one more for each retry and takeover. */
  readonly attempt: number;
  /** The version of the job with which the run first started: new code can go the old way for old runs. */
  readonly version: number;
  /** Aborted when the run is cancelled, lost to another worker or handed back, and when its time is up. */
  readonly signal: AbortSignal;

  /**
   * Runs `fn` once and stores its result; on a later attempt the stored result
   * is returned and `fn` is not called. The answer is what JSON made of the
   * result, so that a first run and a replay see the same value.
   *
   * @param name 1 to 1,024 characters (UTF-16 units).
   * @throws {StepError} for a name that is empty or too long, that already completed
   * or still runs in this attempt, and for a result that JSON can't hold.
   * @throws {RunCancelledError | LeaseLostError | RunTimeoutError} once the run is no longer this worker's, or its time is up.
   * @throws whatever `fn` throws, after the failure was recorded.
   * @example
   * const user = await step.run('load user', (signal) => fetchUser(id, { signal }))
   * await step.run('greet', { retries: 3, timeout: '10s' }, () => console.log(`Hello ${user.name}`))
   */
  run<T>(name: string, fn: StepFunction<T>): Promise<Jsonified<T>>;
  run<T>(name: string, options: RunStepOptions, fn: StepFunction<T>): Promise<Jsonified<T>>;

  /**
   * Runs `fn` in a transaction of `durably.db`. What `fn` writes through `trx`, and its result, are stored together or not at all,
   * whatever crashes. Once they are, `fn` never runs again. Until then it may run several times, so it does nothing else: what it
   * does outside of `trx` is not undone.
   *
   * While it runs, all other writes of the process wait. One try takes at most 4 seconds, or less if the `staleThreshold` is short,
   * whatever `timeout` says. Steps can't be called inside. `trigger` takes the `trx`.
   *
   * @param fn gets the Kysely transaction, and what the function of {@link run} gets. Give `trx` a type for your own tables.
   * @throws what {@link run} throws. What `fn` throws rolls its writes back first.
   * @example
   * import { sql, type Transaction } from 'kysely'
   *
   * const left = await step.transaction('take from stock', async (trx: Transaction<unknown>) => {
   *   await sql`update stock set pieces = pieces - 1 where item = ${'lamp'}`.execute(trx)
   *   const { rows } = await sql<{ pieces: number }>`select pieces from stock where item = ${'lamp'}`.execute(trx)
   *   return rows[0]?.pieces
   * })
   */
  transaction<T, TTrx extends CallerTransaction = AnyTransaction>(
    name: string,
    fn: TransactionFunction<T, TTrx>,
  ): Promise<Jsonified<T>>;
  transaction<T, TTrx extends CallerTransaction = AnyTransaction>(
    name: string,
    options: RunStepOptions,
    fn: TransactionFunction<T, TTrx>,
  ): Promise<Jsonified<T>>;

  /**
   * Waits for a duration, across restarts. The first call fixes when the wait ends. A run that
   * waits for a second or more gives up its slot, unless a step runs beside the wait.
   *
   * @throws {StepError} for a bad name or duration, and for a name that was used already.
   * @example await step.sleep('cool down', '30m')
   */
  sleep(name: string, duration: Duration): Promise<void>;

  /**
   * Waits until a time, like {@link sleep}. A time that is over ends the wait at once.
   *
   * @param date a Date, or an ISO 8601 text with a time zone.
   * @example await step.sleepUntil('office hours', '2026-12-01T08:00:00Z')
   */
  sleepUntil(name: string, date: Date | string): Promise<void>;

  /**
   * Waits for a signal ({@link DurablyService.signal}) and takes it: the first one of its name that no
   * other wait has taken. The signal may have come earlier, even before the run began.
   *
   * @returns the signal's payload, null without one. Undefined when the time is up.
   * @throws {StepError} for a bad name or option, and for a payload that `schema` refuses.
   * @example
   * const answer = await step.waitForSignal('approval', { timeout: '7d', schema: z.object({ ok: z.boolean() }) })
   * if (answer === undefined) step.log.warn('nobody answered')
   */
  waitForSignal<S extends z.ZodType>(
    name: string,
    options: WaitForSignalOptions<S> & { readonly schema: S },
  ): Promise<Jsonified<z.output<S>> | undefined>;
  waitForSignal(name: string, options?: WaitForSignalOptions): Promise<unknown>;

  /**
   * Triggers a run of another job and waits for its output. The calling run gives up its slot meanwhile.
   * However often it is interrupted, the step has one run; `parentRunId` of that is the calling run's id.
   *
   * @param job its definition, or the name of a registered job.
   * @throws {ChildRunError} if that run fails, is cancelled or is deleted. A retry of the step triggers another one.
   * @throws {StepError} for a bad name, input or option; for a concurrency key that a run above holds; for more than 50
   * runs above one another.
   * @example const report = await step.invoke('sum up', 'sum-up', { month: '2026-11' })
   */
  invoke<TInput, TOutput>(
    name: string,
    job: JobReference<TInput, TOutput>,
    input: TInput,
    options?: ChildTrigger,
  ): Promise<TOutput>;
  invoke(name: string, job: string, input: unknown, options?: ChildTrigger): Promise<unknown>;

  /**
   * Triggers a run of another job, as {@link invoke} does, and goes on at once.
   *
   * @example const { runId: mailing } = await step.trigger('tell them', 'mail', { to: 'all' })
   */
  trigger<TInput, TOutput>(
    name: string,
    job: JobReference<TInput, TOutput>,
    input: TInput,
    options?: ChildTrigger,
  ): Promise<{ runId: string }>;
  trigger(name: string, job: string, input: unknown, options?: ChildTrigger): Promise<{ runId: string }>;

  /**
   * Reports progress, for whoever follows the run. Never throws and never waits.
   *
   * @example step.progress(20, 100, '20 of 100 rows')
   */
  progress(current: number, total?: number, message?: string): void;

  /**
   * An event of the job's own, `run:emit`, for whoever follows the run, now or later. Never throws
   * and never waits. What JSON can't hold is left out, and a log line says so.
   *
   * @example step.emit('token', { text: 'Hello' })
   */
  emit(name: string, data?: unknown): void;

  /**
   * Writes log lines into the journal. Never throws and never waits.
   *
   * @example step.log.warn('row rejected', { line: 7 })
   */
  readonly log: { readonly [L in LogLevel]: LogFunction };
}
