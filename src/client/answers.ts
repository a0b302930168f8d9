import type { RunPage } from '../core/lists/run-query.ts';
import type { LogLine } from '../core/log-line.ts';
import type { JobInfo } from '../core/managing/job-info.ts';
import type { BulkResult } from '../core/managing/run-bulk.ts';
import type { Run } from '../core/run.ts';
import type { Schedule } from '../core/schedules/schedule.ts';
import type { Signalled } from '../core/signal.ts';
import type { Overview } from '../core/stats/overview.ts';
import type { Stats } from '../core/stats/stats.ts';
import type { WorkerInfo } from '../core/stats/worker-info.ts';
import type { Step } from '../core/step.ts';
import type { NewRunId, StreamTicket } from './durably-client.ts';
import { isObject } from './foreign.ts';
import type { Answer } from './transport.ts';
import { unreadable } from './triggers.ts';

/** Whether an answer has the form that the service's version of this client would send. Only its main members are looked at. */
export type IsAnswer<T> = (value: unknown) => value is T;

const having =
  <T>(...names: readonly string[]): IsAnswer<T> =>
  (value): value is T =>
    isObject(value) && names.every((name) => name in value);

const listOf =
  <T>(is: IsAnswer<T>): IsAnswer<T[]> =>
  (value): value is T[] =>
    Array.isArray(value) && value.every(is);

export const isRun = having<Run>('id', 'jobName', 'status');
/** They may have any fields, because the caller may name them. */
const isRunList = listOf(having<Run>());
export const isStepList = listOf(having<Step>('name', 'index', 'status'));
export const isLogList = listOf(having<LogLine>('sequence', 'level', 'message'));
export const isJobList = listOf(having<JobInfo>('name', 'limits'));
export const isStats = having<Stats>('total', 'buckets', 'jobs');
export const isWorkerList = listOf(having<WorkerInfo>('instance', 'slots'));
export const isOverview = having<Overview>('runs', 'at');
export const isSchedule = having<Schedule>('id', 'jobName', 'next');
export const isScheduleList = listOf(isSchedule);
export const isNewRun = having<NewRunId>('runId');
export const isSignalled = having<Signalled>('disposition');
export const isBulkResult = having<BulkResult>('count', 'more');
export const isTicked = having<{ readonly processed: number }>('processed');
export const isTicket = having<StreamTicket>('ticket', 'expiresAt');
export const isDone = having<{ readonly success: true }>('success');

/** The body of an answer. @throws {ServiceError} if it has another form. */
export function bodyOf<T>(answer: Answer, is: IsAnswer<T>): T {
  if (is(answer.body)) return answer.body;
  throw unreadable(answer);
}

/** A page of runs. The `Link` header names the cursor of the next one. */
export function pageOf(answer: Answer): RunPage {
  const [, query] = /<[^>?]*\?([^>]*)>;\s*rel="?next"?/.exec(answer.response.headers.get('link') ?? '') ?? [];
  return { runs: bodyOf(answer, isRunList), nextCursor: new URLSearchParams(query).get('cursor') };
}
