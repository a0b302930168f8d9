/** The door `durably`: the engine. */

export type { ForkOptions, Health, TriggeredRun, WorkOptions } from './core/durably.ts';
export type { ErrorDetail } from './core/errors/error-detail.ts';
export {
  ChildRunError,
  ConflictError,
  DatabaseUnavailableError,
  DurablyError,
  type ErrorCode,
  IdempotencyKeyReusedError,
  InputTooLargeError,
  LeaseLostError,
  NotFoundError,
  PluginError,
  PluginTimeoutError,
  RunCancelledError,
  RunEndedError,
  RunTimeoutError,
  SchemaMismatchError,
  StepError,
  StepTimeoutError,
  TimeoutError,
  UnreadableError,
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
export type { WorkerErrorContext } from './core/errors/worker-error-context.ts';
export type { DurablyEvent, EventHandler, EventType } from './core/events.ts';
export type { RunFilter, RunPage, RunSelection } from './core/lists/run-query.ts';
export type { LogLevel, LogLine, LogQuery } from './core/log-line.ts';
export type { LogEntry, LogFields, Logger } from './core/logger.ts';
export type { JobInfo, JobsQuery, ShownLimits, ShownSchedule } from './core/managing/job-info.ts';
export type { EndedStatus, PurgeOptions, RunRetention } from './core/managing/retention.ts';
export type { BulkFilter, BulkOptions, BulkResult } from './core/managing/run-bulk.ts';
export type { RescheduleOptions } from './core/managing/run-management.ts';
export type {
  DurablyPlugin,
  ExecutionOutcome,
  PluginRun,
  PluginStep,
  PluginTrigger,
  TriggerKind,
} from './core/plugins/plugin.ts';
export type { FailedTry, Retries, RetryOptions } from './core/retries/retry.ts';
export { NonRetryableError, RetryAfterError } from './core/retries/retry-errors.ts';
export type { Run, RunField, RunProgress, RunStatus } from './core/run.ts';
export type {
  JobSchedule,
  MissedPolicy,
  OverlapPolicy,
  Schedule,
  ScheduleRequest,
} from './core/schedules/schedule.ts';
export type { Signalled, SignalOptions } from './core/signal.ts';
export type { CountedBuckets } from './core/stats/bucket-counts.ts';
export type { Overview } from './core/stats/overview.ts';
export type {
  DurationQuantiles,
  Stats,
  StatsBucket,
  StatsBucketSize,
  StatsNumbers,
  StatsQuery,
  StatsSeries,
} from './core/stats/stats.ts';
export type { DatabaseVitals, JobLine, RequestCounts, Vitals } from './core/stats/vitals.ts';
export type { WorkerInfo } from './core/stats/worker-info.ts';
export type {
  JobReference,
  RunStepOptions,
  Step,
  StepContext,
  StepFunction,
  StepKind,
  StepTry,
  WaitForSignalOptions,
} from './core/step.ts';
export type { Duration } from './core/time/duration.ts';
export type { Disposition } from './core/triggers/new-run.ts';
export type { ChildTrigger, TriggerOptions } from './core/triggers/trigger-options.ts';
export type { RunWait } from './core/wait.ts';
export type { RunWebhook, WebhookEvent, Webhooks } from './core/webhooks/webhooks.ts';
export { createDurably, type Durably } from './create-durably.ts';
export type { DurablyOptions } from './durably-options.ts';
export { defineJob, type JobDefinition } from './engine/jobs/define-job.ts';
export type { Concurrency, ThrottleOptions } from './engine/jobs/job-limits.ts';
export type { JobHandle } from './engine/runs/job-handle.ts';
export type { StopOptions } from './engine/worker/worker-options.ts';
