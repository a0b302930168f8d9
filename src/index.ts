/** The door `durably`: the engine. */

export type { Health, TriggerOptions, WorkOptions } from './core/durably.ts';
export {
  ConflictError,
  DatabaseUnavailableError,
  DurablyError,
  type ErrorCode,
  LeaseLostError,
  NotFoundError,
  RunCancelledError,
  RunEndedError,
  SchemaMismatchError,
  StepError,
  TimeoutError,
  ValidationError,
  type ValidationIssue,
} from './core/errors.ts';
export type { DurablyEvent, EventHandler, EventType } from './core/events.ts';
export type { Run, RunFilter, RunProgress, RunStatus } from './core/run.ts';
export type { LogLevel, LogLine, LogQuery, Step, StepContext } from './core/step.ts';
export { createDurably, type Durably, type DurablyOptions } from './create-durably.ts';
export { defineJob, type JobDefinition } from './engine/define-job.ts';
export type { JobHandle } from './engine/job-handle.ts';
export type { StopOptions } from './engine/worker.ts';
