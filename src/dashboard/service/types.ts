export type { ErrorDetail } from '../../core/errors/error-detail.ts';
export type { JournalEvent } from '../../core/events.ts';
export type { Run, RunField, RunStatus } from '../../core/run.ts';
export type { Schedule } from '../../core/schedules/schedule.ts';
export type { LogLevel, LogLine, Step, StepKind } from '../../core/step.ts';
export type { RunWait } from '../../core/wait.ts';
