export type { RunFilter, RunPage, RunSelection } from './core/lists/run-query.ts';
/** The door `durably/client`: a service, seen from elsewhere. */

export { createDurablyClient, type DurablyClientOptions, type JobNames } from './client/create-client.ts';
export type {
  DurablyClient,
  ListedEvent,
  NewRunId,
  RunListStreamOptions,
  StreamTicket,
  TriggerAndWaitOptions,
} from './client/durably-client.ts';
export type { ConnectionState, StreamOptions } from './client/event-stream.ts';
export type { ClientJob } from './client/job-handle.ts';
export type { JobDefinitions } from './client/job-types.ts';
export type { ClientRun } from './client/run-handle.ts';
export type { CallOptions, FetchFunction } from './client/transport.ts';
export type {
  ClientTriggerOptions,
  ClientTriggerRequest,
  RefusedTrigger,
  TriggerAnswer,
} from './client/triggers.ts';
export type { WaitOptions } from './client/wait.ts';
export type { ForkOptions } from './core/durably.ts';
export type { ErrorDetail } from './core/errors/error-detail.ts';
export {
  ConflictError,
  DatabaseUnavailableError,
  DurablyError,
  type ErrorCode,
  IdempotencyKeyReusedError,
  InputTooLargeError,
  NotFoundError,
  RunEndedError,
  TimeoutError,
  ValidationError,
  type ValidationIssue,
} from './core/errors/errors.ts';
export {
  ForbiddenError,
  RateLimitedError,
  ServiceError,
  ServiceUnavailableError,
  UnauthorizedError,
} from './core/errors/service-errors.ts';
export type { JournalEvent } from './core/events.ts';
export type { LogLevel, LogLine, LogQuery } from './core/log-line.ts';
export type { JobInfo, JobsQuery } from './core/managing/job-info.ts';
export type { BulkFilter, BulkResult } from './core/managing/run-bulk.ts';
export type { RescheduleOptions } from './core/managing/run-management.ts';
export type { Run, RunField, RunProgress, RunStatus } from './core/run.ts';
export type { Schedule, ScheduleRequest } from './core/schedules/schedule.ts';
export type { Signalled, SignalOptions } from './core/signal.ts';
export type { Overview } from './core/stats/overview.ts';
export type { Stats, StatsQuery } from './core/stats/stats.ts';
export type { WorkerInfo } from './core/stats/worker-info.ts';
export type { Step, StepKind } from './core/step.ts';
