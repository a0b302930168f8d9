import type { ErrorDetail } from './errors/error-detail.ts';
import { ValidationError } from './errors/errors.ts';
import type { JsonText } from './json/json-text.ts';
import { withShownTexts } from './json/sealed.ts';
import type { Labels } from './triggers/labels.ts';
import { shownValue } from './validation/shown-value.ts';
import type { RunWait } from './wait.ts';

export const RUN_STATUSES = ['pending', 'waiting', 'running', 'completed', 'failed', 'cancelled'] as const;
/** The state of a run. `pending`, `waiting` and `running` are active, the others are ends. */
export type RunStatus = (typeof RUN_STATUSES)[number];

/**
 * The legal transitions. Workers do `claim`, `takeOver`, `handBack`, `wait`, `wake`, `complete`, `fail` and `timeOut`. Callers
 * do `trigger`, `defer`, `reschedule`, `cancel`, `retry` and `delete`. `defer` is a trigger for later. `timeOut` is done by
 * whichever worker finds that a run's time is up. A takeover is a claim of a running run whose lease went stale. If the
 * run's workers vanished {@link MAX_LOST_WORKERS} times in a row, the claim fails it instead.
 */
export const RUN_TRANSITIONS = {
  trigger: { from: [], to: 'pending' },
  defer: { from: [], to: 'waiting' },
  claim: { from: ['pending'], to: 'running' },
  takeOver: { from: ['running'], to: 'running' },
  handBack: { from: ['running'], to: 'pending' },
  wait: { from: ['running'], to: 'waiting' },
  wake: { from: ['waiting'], to: 'pending' },
  complete: { from: ['running'], to: 'completed' },
  fail: { from: ['running'], to: 'failed' },
  timeOut: { from: ['pending', 'waiting', 'running'], to: 'failed' },
  // Only runs that have not started. One that is due by then becomes pending.
  reschedule: { from: ['pending', 'waiting'], to: 'waiting' },
  cancel: { from: ['pending', 'waiting', 'running'], to: 'cancelled' },
  retry: { from: ['failed', 'cancelled'], to: 'pending' },
  delete: { from: ['completed', 'failed', 'cancelled'], to: null },
} as const satisfies Record<string, { from: readonly RunStatus[]; to: RunStatus | null }>;

export type RunCommand = 'cancel' | 'retry' | 'delete';

/** A run fails when its workers vanished this often in a row without a newly stored step. */
export const MAX_LOST_WORKERS = 10;

/**
 * A run whose workers vanished this often in a row may be what ended them. A worker
 * executes only one such run at a time, so that the others are not lost with it.
 */
export const SUSPECT_AFTER_LOST_WORKERS = 3;

export function isTerminal(status: RunStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

/** How far a run says it has come, by `step.progress`. */
export interface RunProgress {
  readonly current: number;
  readonly total?: number;
  readonly message?: string;
}

/** One run as callers see it. Times are ISO 8601 UTC with ms, by the database's clock; null until set. */
export interface Run<TPayload = unknown, TOutput = unknown> {
  readonly id: string;
  readonly jobName: string;
  readonly payload: TPayload;
  readonly status: RunStatus;
  /** Completed, failed or cancelled. */
  readonly isTerminal: boolean;
  /** Pending, waiting or running. */
  readonly isActive: boolean;
  /** What a waiting run waits for; empty in every other status. */
  readonly waits: readonly RunWait[];
  readonly idempotencyKey: string | null;
  readonly concurrencyKey: string | null;
  /** The run that triggered it, by `step.invoke` or `step.trigger`. */
  readonly parentRunId: string | null;
  /** The schedule that made it. */
  readonly scheduleId: string | null;
  /** The slot of its schedule. Null for a run that `fireSchedule` made. */
  readonly scheduledFor: string | null;
  /** The labels of its trigger; empty when there were none. */
  readonly labels: Labels;
  /** How many steps are stored as completed. Without parallel steps this is the index of the next one. */
  readonly currentStepIndex: number;
  /** How many steps are stored as completed. */
  readonly stepCount: number;
  readonly progress: RunProgress | null;
  readonly output: TOutput | null;
  /** Why it failed, in short: the error's message. Null unless it failed. */
  readonly error: string | null;
  /**
   * The error that failed it: name, message, stack, code and causes. Null unless it
   * failed, and null when it failed because its workers were lost.
   */
  readonly errorDetail: ErrorDetail | null;
  /** The step that failed it; `unknown` if no step did. Null unless it failed. */
  readonly failedStepName: string | null;
  /** Counts tries: the first, each retry and each takeover. A run that goes on after a hand-back keeps its attempt. */
  readonly attempt: number;
  readonly heartbeatAt: string | null;
  readonly createdAt: string;
  /** When it was first claimed. */
  readonly startedAt: string | null;
  readonly completedAt: string | null;
  readonly updatedAt: string;
}

/** A run as it is stored, its payload, output and error's detail as JSON text. */
export type StoredRun = Omit<Run<JsonText, JsonText>, 'errorDetail'> & {
  readonly errorDetail: JsonText | null;
};

export function parseRun(stored: StoredRun): Run {
  const { payload, output, errorDetail } = stored;
  return {
    ...withShownTexts(stored),
    payload: payload.parse(),
    output: output?.parse() ?? null,
    errorDetail: parseDetail(errorDetail),
  };
}

export function parseDetail(stored: JsonText | null): ErrorDetail | null {
  return (stored?.parse() ?? null) as ErrorDetail | null;
}

/** The name of a field of a run. */
export type RunField = keyof Run;

/** The fields of a {@link Run}, in its order. */
export const RUN_FIELDS = [
  'id',
  'jobName',
  'payload',
  'status',
  'isTerminal',
  'isActive',
  'waits',
  'idempotencyKey',
  'concurrencyKey',
  'parentRunId',
  'scheduleId',
  'scheduledFor',
  'labels',
  'currentStepIndex',
  'stepCount',
  'progress',
  'output',
  'error',
  'errorDetail',
  'failedStepName',
  'attempt',
  'heartbeatAt',
  'createdAt',
  'startedAt',
  'completedAt',
  'updatedAt',
] as const satisfies readonly RunField[];

/** @throws {ValidationError} for a value that is no text. Whether a run has the id, only the database knows. */
export function checkRunId(runId: unknown): string {
  // No run id has a lone surrogate, and some servers refuse one in a parameter.
  if (typeof runId === 'string') return runId.toWellFormed();
  throw new ValidationError(`runId must be a string, not ${shownValue(runId)}`);
}

/** A run's priority is a whole number from -this to this. */
export const MAX_PRIORITY = 1000;
export const MAX_KEY_LENGTH = 256;
