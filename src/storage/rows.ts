import type { Selectable } from 'kysely';
import { toIsoTime } from '../core/clock.ts';
import type { ErrorDetail } from '../core/error-detail.ts';
import { UNKNOWN_STEP } from '../core/events.ts';
import { decodeJson } from '../core/json.ts';
import { JsonText } from '../core/json-text.ts';
import { bareKey } from '../core/key-scope.ts';
import type { Labels } from '../core/labels.ts';
import { isTerminal, RUN_FIELDS, type RunField, type RunProgress, type StoredRun } from '../core/run.ts';
import { inlineValue, type Listed } from './portions.ts';
import type { RunsTable } from './schema.ts';

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
  'failed_step_name',
] as const satisfies readonly (keyof RunsTable)[];

/** Those that may be long: within JSON they would be escaped, and parsed twice. */
const LONG_COLUMNS = ['output', 'payload', 'error_detail'] as const satisfies readonly (keyof RunsTable)[];

/** The columns of which a {@link Run} is made. */
export const RUN_COLUMNS = [...SHORT_COLUMNS, ...LONG_COLUMNS] as const;

export type RunRow = Pick<Selectable<RunsTable>, (typeof RUN_COLUMNS)[number]>;

type LongColumn = (typeof LONG_COLUMNS)[number];

const FIELD_OF = {
  output: 'output',
  payload: 'payload',
  error_detail: 'errorDetail',
} as const satisfies Record<LongColumn, RunField>;

/** The long columns of which these fields are made. */
function longColumns(fields: readonly RunField[] | null): readonly LongColumn[] {
  return fields === null ? LONG_COLUMNS : LONG_COLUMNS.filter((column) => fields.includes(FIELD_OF[column]));
}

/** A row of a page of runs. A long column that was not asked for is missing. */
export type ListedRunRow = {
  /** Its place, the sizes of the long columns that were asked for, and the short columns, as a JSON array. */
  readonly packed: string;
} & { readonly [C in LongColumn]?: string | null };

/**
 * The columns of a page. A driver makes every value of every row by itself,
 * which takes longer than JSON does, written and read.
 */
export function listedColumns(fields: readonly RunField[] | null): string {
  const long = longColumns(fields);
  const sizes = LONG_COLUMNS.map((column) => (long.includes(column) ? `octet_length(${column})` : 'null'));
  const packed = ['seq', ...sizes, ...SHORT_COLUMNS].join(', ');
  const values = long.map((column) => `${inlineValue(column, `octet_length(${column})`)} as ${column}`);
  return [`json_array(${packed}) as packed`, ...values].join(', ');
}

/** The columns of a run that is read whole, by the same fields. */
export function wholeColumns(fields: readonly RunField[] | null): string {
  return ['seq', ...SHORT_COLUMNS, ...longColumns(fields)].join(', ');
}

export function toListedRun(row: ListedRunRow): Listed<StoredRun> {
  const [key, ...packed] = decodeJson(row.packed) as readonly [number, ...unknown[]];
  const whole: Record<string, unknown> = {};
  let bytes = 0;
  let isWhole = true;
  let i = 0;
  for (const column of LONG_COLUMNS) {
    const value = row[column] ?? null;
    const valueBytes = (packed[i++] as number | null) ?? 0;
    whole[column] = value;
    bytes += valueBytes;
    if (value === null && valueBytes > 0) isWhole = false;
  }
  for (const column of SHORT_COLUMNS) whole[column] = packed[i++];
  return { key, row: toRun(whole as RunRow), bytes, isWhole };
}

/** A run's fields in their usual order, or all of them. */
export function selectFields(run: StoredRun, fields: readonly RunField[] | null): Partial<StoredRun> {
  if (fields === null) return run;
  return Object.fromEntries(
    RUN_FIELDS.flatMap((field) => (fields.includes(field) ? [[field, run[field]]] : [])),
  );
}

/** One whose payload was not read must not be asked for it. */
export function toRun(row: RunRow): StoredRun {
  return {
    id: row.id,
    jobName: row.job_name,
    payload: new JsonText(row.payload),
    status: row.status,
    isTerminal: isTerminal(row.status),
    isActive: !isTerminal(row.status),
    idempotencyKey: bareKey(row.idempotency_key),
    concurrencyKey: row.concurrency_key,
    labels: row.labels === null ? {} : (decodeJson(row.labels) as Labels),
    currentStepIndex: row.step_count,
    stepCount: row.step_count,
    progress: row.progress === null ? null : (decodeJson(row.progress) as RunProgress),
    output: JsonText.of(row.output),
    error: row.error,
    ...failureOf(row),
    attempt: row.attempt,
    heartbeatAt: timeOrNull(row.heartbeat_at),
    createdAt: toIsoTime(row.created_at),
    startedAt: timeOrNull(row.started_at),
    completedAt: timeOrNull(row.completed_at),
    updatedAt: toIsoTime(row.updated_at),
  };
}

/** A process of an earlier version leaves what a failure left behind where it was, and stores none. */
function failureOf({ status, error_detail, failed_step_name }: RunRow) {
  if (status !== 'failed') return { errorDetail: null, failedStepName: null };
  return {
    errorDetail: (decodeJson(error_detail) ?? null) as ErrorDetail | null,
    failedStepName: failed_step_name ?? UNKNOWN_STEP,
  };
}

function timeOrNull(epochMs: number | null): string | null {
  return epochMs === null ? null : toIsoTime(epochMs);
}
