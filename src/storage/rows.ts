import type { Selectable } from 'kysely';
import { toIsoTime } from '../core/clock.ts';
import { decodeJson } from '../core/json.ts';
import type { Labels } from '../core/labels.ts';
import { isTerminal, type Run, type RunProgress } from '../core/run.ts';
import type { RunsTable } from './schema.ts';

/** The columns of which a {@link Run} is made. snake_case ends in this file. */
export const RUN_COLUMNS = [
  'id',
  'job_name',
  'status',
  'attempt',
  'step_count',
  'heartbeat_at',
  'created_at',
  'started_at',
  'completed_at',
  'updated_at',
  'idempotency_key',
  'concurrency_key',
  'progress',
  'error',
  'output',
  'payload',
  'labels',
] as const satisfies readonly (keyof RunsTable)[];

export type RunRow = Pick<Selectable<RunsTable>, (typeof RUN_COLUMNS)[number]>;

export function toRun(row: RunRow): Run {
  return {
    id: row.id,
    jobName: row.job_name,
    payload: decodeJson(row.payload),
    status: row.status,
    isTerminal: isTerminal(row.status),
    isActive: !isTerminal(row.status),
    idempotencyKey: row.idempotency_key,
    concurrencyKey: row.concurrency_key,
    labels: row.labels === null ? {} : (decodeJson(row.labels) as Labels),
    currentStepIndex: row.step_count,
    stepCount: row.step_count,
    progress: row.progress === null ? null : (decodeJson(row.progress) as RunProgress),
    output: decodeJson(row.output) ?? null,
    error: row.error,
    attempt: row.attempt,
    heartbeatAt: timeOrNull(row.heartbeat_at),
    createdAt: toIsoTime(row.created_at),
    startedAt: timeOrNull(row.started_at),
    completedAt: timeOrNull(row.completed_at),
    updatedAt: toIsoTime(row.updated_at),
  };
}

function timeOrNull(epochMs: number | null): string | null {
  return epochMs === null ? null : toIsoTime(epochMs);
}
