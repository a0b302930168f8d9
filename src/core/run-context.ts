import { AsyncLocalStorage } from 'node:async_hooks';

/** The run whose code is being executed. Each execution has an object of its own, which identifies it. */
export interface RunContext {
  readonly runId: string;
}

/** The step whose code is being executed, and the execution that it belongs to. */
export interface StepScope {
  readonly owner: object;
  readonly name: string;
  /** The transaction that is open while the function runs. */
  readonly transaction?: object | undefined;
}

interface Stored {
  readonly run: RunContext;
  readonly step?: StepScope;
}

const storage = new AsyncLocalStorage<Stored | undefined>();

/** Before Node 24, an enabled context slows down every promise of the process (ADR 21). */
const isCostly = Number(globalThis.process?.versions?.node?.split('.')[0] ?? Number.POSITIVE_INFINITY) < 24;

/** Cloudflare Workers say that they are Node 22, but refuse to disable a storage. */
const isDisabledAtRest = isCostly && canDisable(storage);

function canDisable(each: { disable(): void }): boolean {
  try {
    each.disable();
    return true;
  } catch {
    return false;
  }
}

/** An object, because running with undefined does not enable a disabled storage. */
const NOBODY: Stored = { run: { runId: '' } };

/** How many calls of job code are under way. */
let underWay = 0;

/** The run whose job is calling, in any instance of this process. Undefined outside of jobs. */
export function currentRun(): RunContext | undefined {
  return storage.getStore()?.run;
}

/** The step whose function is calling. Undefined outside of steps. */
export function currentStep(): StepScope | undefined {
  return storage.getStore()?.step;
}

/** The run whose code threw an error that nobody caught. Its job may be over. */
export function strayRun(): RunContext | undefined {
  // Enables the storage, so that it finds the context in which the code created its timers and sockets.
  if (underWay === 0) storage.run(NOBODY, () => undefined);
  const run = currentRun();
  rest();
  return run;
}

/** Calls code of a run: what it starts (timers, promises, event handlers) belongs to that run. */
export function callWithinRun<T>(context: RunContext, code: () => T): T {
  return call({ run: context }, code);
}

/** Calls the function of a run's step. */
export function callWithinStep<T>(context: RunContext, step: StepScope, code: () => T): T {
  return call({ run: context, step }, code);
}

/** Calls code that belongs to no run, though a run's code may have caused it. */
export function callOutsideRuns<T>(code: () => T): T {
  return storage.getStore() === undefined ? code() : storage.run(undefined, code);
}

/** Runs whose job waits for something that never happens. */
const abandoned = new WeakSet<RunContext>();

/** Counts the run's job as over, because the promise that it returned to {@link callWithinRun} may never settle. */
export function abandonRun(context: RunContext): void {
  abandoned.add(context);
  underWay--;
  rest();
}

function call<T>(stored: Stored, code: () => T): T {
  underWay++;
  let result: T;
  try {
    result = storage.run(stored, code);
  } catch (error) {
    end(stored);
    throw error;
  }
  if (result instanceof Promise) {
    const ended = () => end(stored);
    result.then(ended, ended);
  } else end(stored);
  return result;
}

function end({ run, step }: Stored): void {
  // `abandonRun` has already counted this job as over, but not its steps.
  if (step === undefined && abandoned.delete(run)) return;
  underWay--;
  rest();
}

/** Disables the storage, where that helps, while no job's code is under way. */
function rest(): void {
  if (isDisabledAtRest && underWay === 0) storage.disable();
}
