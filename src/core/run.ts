import * as z from 'zod';
import type { ErrorDetail } from './errors/error-detail.ts';
import { errorMessage } from './errors/error-text.ts';
import { ValidationError } from './errors/errors.ts';
import type { JsonText } from './json/json-text.ts';
import { cursorSchema } from './lists/run-cursor.ts';
import { type RunSearch, type RunSearchQuery, runSearchShape } from './lists/run-search.ts';
import { type Labels, labelsSchema } from './triggers/labels.ts';
import { knownMembers } from './validation/issues.ts';
import type { RunWait } from './wait.ts';

export const RUN_STATUSES = ['pending', 'waiting', 'running', 'completed', 'failed', 'cancelled'] as const;
/** The state of a run. `pending`, `waiting` and `running` are active, the others are ends. */
export type RunStatus = (typeof RUN_STATUSES)[number];

/**
 * The legal transitions. Workers do `claim`, `takeOver`, `handBack`, `wait`, `wake`, `complete`, `fail`
 * and `timeOut` (whichever worker finds that a run's time is up); callers do `trigger`, `defer` (a trigger for later), `reschedule`, `cancel`, `retry` and `delete`. A takeover is a claim of a running
 * run whose lease went stale. If the run's workers vanished {@link MAX_LOST_WORKERS} times
 * in a row, the claim fails it instead.
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
  /** The slot of its schedule. Null for a run that was made beside the slots, by `fireSchedule`. */
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

/** A run as it is stored, its payload and output as JSON text. */
export type StoredRun = Run<JsonText, JsonText>;

export function parseRun(stored: StoredRun): Run {
  return { ...stored, payload: stored.payload.parse(), output: stored.output?.parse() ?? null };
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
  throw new ValidationError(`runId must be a string, not ${errorMessage(runId)}`);
}

/** A run's priority is a whole number from -this to this. */
export const MAX_PRIORITY = 1000;
export const MAX_KEY_LENGTH = 256;
export const MAX_FILTER_VALUES = 20;
export const MAX_LIST_LIMIT = 1000;
export const DEFAULT_LIST_LIMIT = 100;
export const MAX_LIST_OFFSET = 100_000;

/** Which runs a list contains: the runs that match every member. Without members, all runs. */
export interface RunFilter extends RunSearch {
  /** An empty list matches no run. The same holds for `status`. */
  readonly jobName?: string | readonly string[] | undefined;
  readonly status?: RunStatus | readonly RunStatus[] | undefined;
  /** Only runs that a step of this run triggered. */
  readonly parentRunId?: string | undefined;
  /** Only runs that this schedule has made. */
  readonly scheduleId?: string | undefined;
  /**
   * Only runs with all of these labels. The runs of the first label are read, newest
   * first, until the page is full, so name the rarest label first. (If only active
   * statuses are asked for, the active runs are read instead.)
   */
  readonly labels?: Labels | undefined;
  /** 1 to 1,000. Default: 100. */
  readonly limit?: number | undefined;
  /**
   * 0 to 100,000. Pages by offset repeat or skip runs when runs are added or deleted
   * meanwhile; pages by `cursor` don't.
   */
  readonly offset?: number | undefined;
  /**
   * The `nextCursor` of the page before (over HTTP, the `cursor` in its `Link` header).
   * Can't be combined with `offset`.
   */
  readonly cursor?: string | undefined;
}

/** A filter that reads only some fields of the runs; `payload` and `output` may be large. */
export interface RunSelection<F extends RunField = RunField> extends RunFilter {
  readonly fields: readonly F[];
}

/** A part of a list of runs. */
export interface RunPage<TRun = Run> {
  readonly runs: TRun[];
  /** The `cursor` of the page that follows; null after the last. */
  readonly nextCursor: string | null;
}

/** A checked {@link RunFilter}: lists without duplicates (an empty one matches all), and bounds. */
export interface RunQuery extends RunSearchQuery {
  readonly jobNames: readonly string[];
  readonly statuses: readonly RunStatus[];
  readonly parentRunId: string | null;
  readonly scheduleId: string | null;
  readonly labels: readonly (readonly [key: string, value: string])[];
  /** The fields to read, without duplicates; null for all. */
  readonly fields: readonly RunField[] | null;
  readonly limit: number;
  readonly offset: number;
  /** Only runs that come after this place in the list. Null to start at the newest run. */
  readonly before: number | null;
}

const oneOrMany = <T extends z.ZodType<string>>(value: T) =>
  z
    .union([value.transform((one) => [one]), z.array(value).max(MAX_FILTER_VALUES)])
    .transform((values) => [...new Set(values)])
    .optional();

/** `nothing` for a filter with an empty list, which matches no run. */
export const runQuerySchema = knownMembers('filter member', {
  jobName: oneOrMany(z.string()),
  status: oneOrMany(z.enum(RUN_STATUSES)),
  parentRunId: z.string().optional(),
  ...runSearchShape,
  scheduleId: z.string().optional(),
  labels: labelsSchema().default({}),
  limit: z.int().min(1).max(MAX_LIST_LIMIT).default(DEFAULT_LIST_LIMIT),
  offset: z.int().min(0).max(MAX_LIST_OFFSET).default(0),
  cursor: cursorSchema.optional(),
  fields: z.array(z.enum(RUN_FIELDS)).min(1).optional(),
})
  .refine(({ cursor, offset }) => cursor === undefined || offset === 0, {
    path: ['offset'],
    error: 'does not go with a cursor',
  })
  .transform(
    ({ jobName, status, parentRunId, scheduleId, labels, fields, cursor, ...rest }): RunQuery | 'nothing' => {
      if (jobName?.length === 0 || status?.length === 0) return 'nothing';
      return {
        jobNames: jobName ?? [],
        statuses: status ?? [],
        parentRunId: parentRunId?.toWellFormed() ?? null,
        scheduleId: scheduleId?.toWellFormed() ?? null,
        labels: Object.entries(labels),
        fields: fields === undefined ? null : [...new Set(fields)],
        limit: rest.limit,
        offset: rest.offset,
        before: cursor ?? null,
        createdAfter: rest.createdAfter ?? null,
        createdBefore: rest.createdBefore ?? null,
        q: rest.q ?? null,
      };
    },
  );
