import type { TriggerRequest } from '../core/durably.ts';
import type { Run, RunFilter } from '../core/run.ts';

/** What `onRunAccess` is told that a caller wants of a run. */
export type RunOperation =
  /** A trigger's idempotency key already had this run: the caller is about to be told its id. */
  'trigger' | 'read' | 'subscribe' | 'steps' | 'logs' | 'retry' | 'retrigger' | 'cancel' | 'delete';

export interface RunGuard<TInput> {
  readonly hook: 'onRunAccess';
  readonly operation: RunOperation;
  runIdOf(input: TInput): string;
  /** Of an operation that makes a new run of this one: what `onTrigger` is asked for as well. */
  triggerOf?(run: Run): TriggerRequest;
}

export interface ScopeGuard<TInput> {
  readonly hook: 'scopeRuns' | 'scopeRunsSubscribe';
  /** What the operation can leave runs out by. */
  readonly narrowsBy: readonly (keyof RunFilter)[];
  filterOf(input: TInput): RunFilter;
  /** The input with the hook's filter in the caller's place; an empty list in it means none. */
  narrow(input: TInput, filter: RunFilter): TInput;
}

/** Which of the hooks of `auth` decides on an operation, and what it is shown. */
export type Guard<TInput> =
  /** Whoever is authenticated: it is about no run. */
  | { readonly hook: 'authenticate' }
  | { readonly hook: 'onTrigger'; requestOf(input: TInput): TriggerRequest }
  | RunGuard<TInput>
  | ScopeGuard<TInput>;

/** The guard of an operation on the run that its `runId` names. */
export function guardRun(operation: RunOperation): RunGuard<{ readonly runId: string }> {
  return { hook: 'onRunAccess', operation, runIdOf: ({ runId }) => runId };
}

/** A filter's member as a list; undefined leaves nothing out. */
export function listOf<T extends string>(given: T | readonly T[] | undefined): T[] | undefined {
  if (given === undefined) return undefined;
  return typeof given === 'string' ? [given] : [...given];
}
