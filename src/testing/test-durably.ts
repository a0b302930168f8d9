import { NotFoundError } from '../core/errors/errors.ts';
import { consoleLogger } from '../core/logger.ts';
import type { Run } from '../core/run.ts';
import type { Signalled, SignalOptions } from '../core/signal.ts';
import type { StepFunction } from '../core/step.ts';
import { type Duration, parseDuration, parseTime } from '../core/time/duration.ts';
import type { TriggerOptions } from '../core/triggers/trigger-options.ts';
import type { Durably } from '../create-durably.ts';
import type { DurablyOptions } from '../durably-options.ts';
import type { JobDefinition } from '../engine/jobs/define-job.ts';
import type { AnyJobs, HandlesOf } from '../engine/runs/catalogue.ts';
import { openTestDatabase } from '../storage/sqlite/testing/test-database.ts';
import { FakeClock } from './fake-clock.ts';
import { StepDoubles, type StepOfJob } from './step-doubles.ts';
import { TestProcess } from './test-process.ts';
import { TimeMachine } from './time-machine.ts';

const DEFAULT_STALE_MS = 30_000;
const DEFAULT_SLOTS = 10;

/** The options of {@link createTestDurably}: those of an instance that a test may need, and the time at which it begins. */
export interface TestOptions<TJobs extends AnyJobs = AnyJobs>
  extends Pick<
    DurablyOptions<TJobs>,
    | 'heartbeatInterval'
    | 'staleThreshold'
    | 'maxConcurrentRuns'
    | 'maxResultBytes'
    | 'retainRuns'
    | 'errorDetail'
    | 'logger'
    | 'use'
  > {
  /** The jobs under test, and those that they start. */
  readonly jobs: TJobs;
  /** The time at which the test begins: a Date, or an ISO 8601 text with a time zone. Default: the time of now. */
  readonly now?: Date | string | undefined;
}

/** An instance for one test. Create it with {@link createTestDurably}. */
export interface TestDurably<TJobs extends AnyJobs = AnyJobs> extends AsyncDisposable {
  /** The instance. After {@link crashAfter} it is another one, so read it from here each time. */
  readonly durably: Durably<HandlesOf<TJobs>>;
  /** The handles of the jobs, to trigger runs. */
  readonly jobs: HandlesOf<TJobs>;
  /** The time of the test. */
  now(): Date;
  /**
   * Triggers a run and executes it to its end, whatever that is. Waits, retries and delays pass at once: the clock is moved to the
   * next thing that is due, again and again. Functions of steps take the time that they take.
   *
   * @param job its definition, or its name.
   * @throws {Error} if the run waits for something that does not come by itself, such as a signal.
   * @example
   * const run = await t.run(greet, { name: 'Ada' })
   * console.log(run.status, run.output)
   */
  run<TInput, TPayload, TOutput>(
    job: JobDefinition<string, TInput, TPayload, TOutput>,
    input: TInput,
    options?: TriggerOptions,
  ): Promise<Run<TPayload, TOutput>>;
  run(job: string, input: unknown, options?: TriggerOptions): Promise<Run>;
  /** {@link run} for a run that was triggered before. @throws {NotFoundError} for an unknown run. */
  finish(runId: string): Promise<Run>;
  /** Executes what is due now. No time passes. */
  settle(): Promise<void>;
  /**
   * Lets time pass. What becomes due meanwhile is executed in order, each thing at its time. A step's function that still runs
   * after some ms of real time is not waited for, so that its timeout can pass.
   *
   * @throws {ValidationError} for a bad duration.
   * @example await t.advance('7d')
   */
  advance(duration: Duration): Promise<void>;
  /** Executes what is due, sends the signal, and executes what is due then. @throws as `durably.signal` does. */
  signal(runId: string, name: string, payload?: unknown, options?: SignalOptions): Promise<Signalled>;
  /**
   * From now on, the step's function is not called, but this one. Returns a function that ends it. If no step of that name is
   * executed, {@link stop} rejects.
   *
   * @param fn `'hangs'`: it never ends, so that only a timeout or a cancel does.
   * @throws {ValidationError} for a bad argument.
   * @throws {NotFoundError} for a job that is not under test.
   * @example t.mockStep('charge', () => ({ id: 'ch_1' }))
   */
  mockStep(stepName: string, fn: StepFunction<unknown> | 'hangs', place?: StepOfJob): () => void;
  /**
   * The process ends when that step's result is stored the next time, as by `kill -9`: the job does not go on. Later, when its
   * lease is over, another process takes the run over. If there is no such result, {@link stop} rejects.
   *
   * @throws as {@link mockStep} does.
   */
  crashAfter(stepName: string, place?: StepOfJob): void;
  /**
   * Ends the test's instance. Its runs are gone. `await using` does the same, and logs a warning instead of rejecting.
   *
   * @throws {Error} that names the steps of {@link mockStep} and {@link crashAfter} that were never executed, unless they are
   * `optional`.
   */
  stop(): Promise<void>;
}

/**
 * An instance of jobs for a test, in memory, with a clock that only the test moves. It works with any test runner.
 *
 * @throws {ValidationError} for a bad option.
 * @example
 * import { createTestDurably } from 'durably/testing'
 *
 * const t = await createTestDurably({ jobs: { greet } })
 * const run = await t.run(greet, { name: 'Ada' })
 * await t.stop()
 */
export async function createTestDurably<TJobs extends AnyJobs>(
  options: TestOptions<TJobs>,
): Promise<TestDurably<TJobs>> {
  const { jobs, now = new Date(), staleThreshold = DEFAULT_STALE_MS, ...others } = options;
  const clock = new FakeClock(parseTime('now', now));
  const database = openTestDatabase(() => Math.floor(clock.now()));
  const doubles = new StepDoubles(Object.values(jobs).map(({ name }) => name));
  const settings = { maxConcurrentRuns: DEFAULT_SLOTS, staleThreshold, ...others };
  const begin = () => new TestProcess({ database, clock, doubles, jobs, options: settings });
  let process = begin();
  const current = () => {
    if (process.isGone) process = begin();
    return process;
  };
  const machine = new TimeMachine({ clock, database, staleThresholdMs: staleThreshold, process: current });
  const durably = () => current().durably as Durably<HandlesOf<TJobs>>;
  const pass = (ms: number) =>
    machine.pass({ untilMs: clock.now() + ms, isOver: async () => false, isAsked: ms > 0 });
  const finish = async (runId: string): Promise<Run> => {
    const read = async () => {
      const run = await durably().getRun(runId);
      if (run === null) throw new NotFoundError(`Run ${runId} does not exist`);
      return run;
    };
    const isOver = async () => (await read()).isTerminal;
    const end = await machine.pass({ untilMs: Number.POSITIVE_INFINITY, isOver, isAsked: false });
    const run = await read();
    if (end === 'nothing-due') throw new Error(`Run ${runId} of ${run.jobName} ${whatIsMissing(run)}`);
    return run;
  };
  await durably().migrate();
  const stop = async () => {
    const stopping = current().durably.stop({ timeoutMs: 0, final: true });
    let isStopped = false;
    void stopping.finally(() => {
      isStopped = true;
    });
    while (!isStopped) {
      clock.advance(50);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await stopping;
    database.close();
  };
  return {
    get durably() {
      return durably();
    },
    get jobs() {
      return durably().jobs;
    },
    now: () => new Date(clock.now()),
    async run(job: JobDefinition | string, input: unknown, triggerOptions?: TriggerOptions) {
      const jobName = typeof job === 'string' ? job : job.name;
      const { id } = await durably().trigger({ ...triggerOptions, jobName, input });
      // biome-ignore lint/suspicious/noExplicitAny: its types are those of the job.
      return (await finish(id)) as Run<any, any>;
    },
    finish,
    async settle() {
      await pass(0);
    },
    async advance(duration) {
      await pass(parseDuration('advance', duration));
    },
    async signal(...signal) {
      await pass(0);
      const signalled = await durably().signal(...signal);
      await pass(0);
      return signalled;
    },
    mockStep: (...mock) => doubles.mock(...mock),
    crashAfter: (...crash) => doubles.crashAfter(...crash),
    async stop() {
      await stop();
      const unused = doubles.describeUnused();
      if (unused !== undefined) throw new Error(unused);
    },
    async [Symbol.asyncDispose]() {
      await stop();
      // An error would hide the one with which the test has failed.
      const unused = doubles.describeUnused();
      if (unused !== undefined) (options.logger ?? consoleLogger).warn(unused);
    },
  };
}

function whatIsMissing({ status, waits }: Run): string {
  const signals = waits.filter(({ kind }) => kind === 'signal').map(({ signal }) => JSON.stringify(signal));
  if (signals.length > 0) return `waits for the signal ${signals.join(', ')}: send it with signal()`;
  return `is ${status}, and nothing is due that would make it go on`;
}
