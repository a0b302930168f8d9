import type { TriggerRequest } from '../core/durably.ts';
import type { RunFilter } from '../core/lists/run-query.ts';
import type { Run } from '../core/run.ts';
import type { ScheduleRequest } from '../core/schedules/schedule.ts';

/** The operation that `onRunAccess` is asked about. */
export type RunOperation =
  /** A trigger's idempotency key already had this run, and its id is about to be returned. In a batch, a refusal hides that id only. */
  | 'trigger'
  | 'read'
  | 'subscribe'
  | 'steps'
  | 'logs'
  | 'retry'
  | 'retrigger'
  | 'cancel'
  | 'delete'
  | 'signal'
  | 'reschedule'
  | 'fork';

/** What is done to a job for all callers. */
export type JobOperation = 'pause' | 'resume';
/** What is done to a stored schedule. */
export type ScheduleOperation = 'delete-schedule' | 'pause-schedule' | 'resume-schedule' | 'fire-schedule';

/** What `onManage` is asked about. Tell the targets apart by `operation`. */
export type ManageTarget =
  | { readonly operation: JobOperation; readonly jobName: string }
  /** All schedules are about to be shown, or all workers, or how the whole service is doing. */
  | { readonly operation: 'schedules' | 'workers' | 'overview' }
  /** A schedule is about to be stored or changed. The job's schema has not validated its input yet. */
  | { readonly operation: 'schedule'; readonly scheduleId: string; readonly schedule: ScheduleRequest }
  | { readonly operation: ScheduleOperation; readonly scheduleId: string };

export interface ManageGuard<TInput> {
  readonly hook: 'onManage';
  targetOf(input: TInput): ManageTarget;
}

export interface RunGuard<TInput> {
  readonly hook: 'onRunAccess';
  readonly operation: RunOperation;
  runIdOf(input: TInput): string;
  /** For operations that make a new run from this one: the trigger that `onTrigger` is asked about as well. */
  triggerOf?(run: Run, input: TInput): TriggerRequest;
}

export interface ScopeGuard<TInput> {
  readonly hook: 'scopeRuns' | 'scopeRunsSubscribe';
  /** The filters that the operation can apply. */
  readonly narrowsBy: readonly (keyof RunFilter)[];
  filterOf(input: TInput): RunFilter;
  /** Replaces the caller's filter with the one from the hook. An empty list in it matches nothing. */
  narrow(input: TInput, filter: RunFilter): TInput;
}

/** The filters of a list of runs. */
export const RUN_FILTERS = [
  'jobName',
  'status',
  'labels',
  'parentRunId',
  'scheduleId',
  'createdAfter',
  'createdBefore',
  'q',
] as const satisfies readonly (keyof RunFilter)[];

/** Each trigger of the input is asked about. */
export interface TriggerGuard<TInput> {
  readonly hook: 'onTrigger';
  requestsOf(input: TInput): readonly TriggerRequest[];
  /** The input whose idempotency keys belong to the caller. */
  withKeyScope(input: TInput, keyScope: string): TInput;
}

/** The `auth` hook that decides on an operation, and the arguments for it. */
export type Guard<TInput> =
  /** Every authenticated caller is allowed: the operation concerns no run. */
  | { readonly hook: 'authenticate' }
  | TriggerGuard<TInput>
  | RunGuard<TInput>
  | ManageGuard<TInput>
  | ScopeGuard<TInput>;

/** The guard of an operation on the run with the given `runId`. */
export function guardRun<TInput extends { readonly runId: string } = { readonly runId: string }>(
  operation: RunOperation,
): RunGuard<TInput> {
  return { hook: 'onRunAccess', operation, runIdOf: ({ runId }) => runId };
}

/** The guard of an operation on the job with the given name. */
export function guardManage<TInput extends { readonly jobName: string } = { readonly jobName: string }>(
  operation: JobOperation,
): ManageGuard<TInput> {
  return { hook: 'onManage', targetOf: ({ jobName }) => ({ operation, jobName }) };
}

/** The guard of an operation on the schedule with the given id. */
export function guardSchedule<TInput extends { readonly id: string } = { readonly id: string }>(
  operation: ScheduleOperation,
): ManageGuard<TInput> {
  return { hook: 'onManage', targetOf: ({ id }) => ({ operation, scheduleId: id }) };
}

/** Returns a filter's member as a list. Undefined means no filter. */
export function listOf<T extends string>(given: T | readonly T[] | undefined): T[] | undefined {
  if (given === undefined) return undefined;
  return typeof given === 'string' ? [given] : [...given];
}
