import type { StepContext, StepFunction, StepTry, TransactionFunction } from '../core/step.ts';
import type { JobDefinition } from '../engine/jobs/define-job.ts';
import type { Activity } from './activity.ts';
import type { StepDoubles } from './step-doubles.ts';

interface Watch {
  readonly activity: Activity;
  readonly doubles: StepDoubles;
  /** Whether the process has ended: it calls no function any more. */
  readonly isGone: () => boolean;
}

/** The job, with steps that a test may replace, and whose code is watched. */
export function watchedJob(job: JobDefinition, watch: Watch): JobDefinition {
  return Object.freeze({
    ...job,
    run: (step: StepContext, payload: unknown) =>
      watch.activity.job(step.runId, () => job.run(watchedContext(job.name, step, watch), payload)),
  });
}

const never = () => new Promise<never>(() => undefined);

type RunArguments = [name: string, ...rest: [unknown, unknown?]];
/** The methods of a step context work without `this`. */
type Method = (...args: unknown[]) => Promise<unknown>;

function watchedContext(jobName: string, step: StepContext, watch: Watch): StepContext {
  const { activity } = watch;
  const { runId } = step;
  const watched =
    (method: unknown): Method =>
    (...args) =>
      activity.call(runId, () => (method as Method)(...args));
  const run = watched(step.run);
  const runReplaced = (...args: RunArguments) => {
    const [stepName] = args;
    const given = args.at(-1);
    // What is no function is refused by the step itself.
    if (typeof given !== 'function') return run(...args);
    const fn = given as StepFunction<unknown>;
    return run(...args.slice(0, -1), replaced({ jobName, stepName, runId }, fn, watch));
  };
  const transaction = watched(step.transaction);
  const transactionReplaced = (...args: RunArguments) => {
    const [stepName] = args;
    const given = args.at(-1);
    if (typeof given !== 'function') return transaction(...args);
    const inTransaction: TransactionFunction<unknown, unknown> = (trx, ...rest) => {
      const fn: StepFunction<unknown> = (...about) => (given as typeof inTransaction)(trx, ...about);
      return replaced({ jobName, stepName, runId }, fn, watch)(...rest);
    };
    return transaction(...args.slice(0, -1), inTransaction);
  };
  return {
    runId,
    attempt: step.attempt,
    version: step.version,
    get signal() {
      return step.signal;
    },
    run: runReplaced as StepContext['run'],
    transaction: transactionReplaced as StepContext['transaction'],
    sleep: watched(step.sleep) as StepContext['sleep'],
    sleepUntil: watched(step.sleepUntil) as StepContext['sleepUntil'],
    waitForSignal: watched(step.waitForSignal) as StepContext['waitForSignal'],
    invoke: watched(step.invoke) as StepContext['invoke'],
    trigger: watched(step.trigger) as StepContext['trigger'],
    progress: step.progress,
    emit: step.emit,
    log: step.log,
  };
}

interface ReplacedStep {
  readonly jobName: string;
  readonly stepName: string;
  readonly runId: string;
}

function replaced(
  { jobName, stepName, runId }: ReplacedStep,
  fn: StepFunction<unknown>,
  { activity, doubles, isGone }: Watch,
): StepFunction<unknown> {
  return async (signal: AbortSignal, about: StepTry) => {
    if (isGone()) return await never();
    const double = doubles.of({ jobName, stepName });
    if (double?.kind === 'hangs') return await never();
    return await activity.step(runId, () => (double?.fn ?? fn)(signal, about));
  };
}
