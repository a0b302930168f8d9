import { AsyncLocalStorage } from 'node:async_hooks';

/** The run whose code is being executed. One object for each execution: its identity tells them apart. */
export interface RunContext {
  readonly runId: string;
}

const storage = new AsyncLocalStorage<RunContext | undefined>();

/** The run whose job calls, in whatever instance of this process; undefined outside of jobs. */
export function currentRun(): RunContext | undefined {
  return storage.getStore();
}

/** Calls code of a run: what it starts (timers, promises, event handlers) belongs to that run. */
export function callWithinRun<T>(context: RunContext, code: () => T): T {
  return storage.run(context, code);
}

/** Calls code that belongs to no run, though a run's code may have caused it. */
export function callOutsideRuns<T>(code: () => T): T {
  return storage.getStore() === undefined ? code() : storage.run(undefined, code);
}
