import type { ExpressionBuilder, Selectable } from 'kysely';
import { toIsoTime } from '../core/clock.ts';
import { decodeJson } from '../core/json.ts';
import { bareKey } from '../core/key-scope.ts';
import type { Labels } from '../core/labels.ts';
import { isTerminal, type Run, type RunProgress } from '../core/run.ts';
import type { RunsTable, Schema } from './schema.ts';

/** The columns of a run that are short. snake_case ends in this file. */
const SHORT_COLUMNS = [
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
  'labels',
] as const satisfies readonly (keyof RunsTable)[];

/** Those that may be long: within JSON they would be escaped, and parsed twice. */
const LONG_COLUMNS = ['output', 'payload'] as const satisfies readonly (keyof RunsTable)[];

/** The columns of which a {@link Run} is made. */
export const RUN_COLUMNS = [...SHORT_COLUMNS, ...LONG_COLUMNS] as const;

export type RunRow = Pick<Selectable<RunsTable>, (typeof RUN_COLUMNS)[number]>;

export interface PackedRunRow extends Pick<RunRow, (typeof LONG_COLUMNS)[number]> {
  /** The short columns, as a JSON array. */
  readonly packed: string;
}

/**
 * The columns of a list's runs. A driver makes every value of every row by
 * itself, which takes longer than JSON does, written and read.
 */
export function packedRun({ fn }: ExpressionBuilder<Schema, 'durably_runs'>) {
  return [fn<string>('json_array', [...SHORT_COLUMNS]).as('packed'), ...LONG_COLUMNS] as const;
}

export function unpackRun({ packed, output, payload }: PackedRunRow): RunRow {
  const values = decodeJson(packed) as readonly unknown[];
  const row: Record<string, unknown> = { output, payload };
  let i = 0;
  for (const column of SHORT_COLUMNS) row[column] = values[i++];
  return row as RunRow;
}

export function toRun(row: RunRow): Run {
  return {
    id: row.id,
    jobName: row.job_name,
    payload: decodeJson(row.payload),
    status: row.status,
    isTerminal: isTerminal(row.status),
    isActive: !isTerminal(row.status),
    idempotencyKey: bareKey(row.idempotency_key),
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
