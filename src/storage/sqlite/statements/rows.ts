import type { Selectable } from 'kysely';
import { UNKNOWN_STEP } from '../../../core/events.ts';
import { decodeJson } from '../../../core/json/json.ts';
import { JsonText } from '../../../core/json/json-text.ts';
import {
  isTerminal,
  RUN_FIELDS,
  type RunField,
  type RunProgress,
  type StoredRun,
} from '../../../core/run.ts';
import { toIsoTime } from '../../../core/time/clock.ts';
import { bareKey } from '../../../core/triggers/key-scope.ts';
import type { Labels } from '../../../core/triggers/labels.ts';
import type { RunWait } from '../../../core/wait.ts';
import type { RunsTable } from '../schema.ts';
import { type InlineValue, inlineOrSize, isWhole, type Listed, sizeOf } from './portions.ts';

/** The short columns of a run. Names in snake_case do not leave this file. */
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
  'error_detail',
  'waits',
  'parent_run_id',
  'schedule_id',
  'scheduled_for',
] as const satisfies readonly (keyof RunsTable)[];

/** Columns that may be long. Inside JSON they would be escaped and parsed twice. */
const LONG_COLUMNS = ['output', 'payload'] as const satisfies readonly (keyof RunsTable)[];

/** The columns that make a {@link Run}. */
export const RUN_COLUMNS = [...SHORT_COLUMNS, ...LONG_COLUMNS] as const;

export type RunRow = Pick<Selectable<RunsTable>, (typeof RUN_COLUMNS)[number]>;

/** A run that is read whole, by {@link wholeColumns}. It lacks long columns that were not requested. */
export type WholeRunRow = Omit<RunRow, (typeof LONG_COLUMNS)[number]> &
  Partial<RunRow> & { readonly seq: number };

/** The long columns among these fields. */
function longColumns(fields: readonly RunField[] | null): readonly (typeof LONG_COLUMNS)[number][] {
  return fields === null ? LONG_COLUMNS : LONG_COLUMNS.filter((column) => fields.includes(column));
}

/** A row of a page of runs. It lacks long columns that were not requested. */
export type ListedRunRow = {
  /** Its place and the short columns, as a JSON array. */
  readonly packed: string;
  readonly output?: InlineValue;
  readonly payload?: InlineValue;
};

/** A row of a list, or only its place, or its id and job. */
export type CompiledRow = ListedRunRow & { readonly seq?: number } & Partial<Pick<RunRow, 'id' | 'job_name'>>;

/** Short columns that may be long together. They are JSON already, but for the error. */
const TEXTS: readonly string[] = ['progress', 'labels', 'error_detail', 'waits', 'error'];

/** Packed texts of a row take at most this many bytes, so that a page fits into one answer of a server. */
const PACKED_BYTES = 48 * 1024;

const textBytes = TEXTS.map((column) => `coalesce(octet_length(${column}), 0)`).join(' + ');
/** SQL: the most bytes that the texts take with their escapes. Those of JSON double its characters at most, others make six of one. */
const MOST_PACKED_BYTES = `2 * (${textBytes}) + 4 * coalesce(octet_length(error), 0)`;

const pack = (of: (column: string) => string) =>
  `json_array(${['seq', ...SHORT_COLUMNS].map(of).join(', ')})`;

const withoutTexts = (column: string) => {
  if (column === 'error_detail') return textBytes;
  return TEXTS.includes(column) ? 'null' : column;
};

/**
 * SQL: the short columns as one JSON text, because a driver takes longer to convert each value of each row than SQLite and
 * JSON.parse take for the text. If its texts are too large, their size stands for the error's detail, and they are read later.
 */
const PACKED = `iif(${MOST_PACKED_BYTES} <= ${PACKED_BYTES}, ${pack((column) => column)}, ${pack(withoutTexts)}) as packed`;

/** The columns of a page. */
export function listedColumns(fields: readonly RunField[] | null): string {
  const values = longColumns(fields).map((column) => `${inlineOrSize(column)} as ${column}`);
  return [PACKED, ...values].join(', ');
}

/** SQL: the columns of a list whose long values are all read later, in the place of `listedColumns(null)`. */
export const SHORT_LISTED = `${pack(withoutTexts)} as packed, octet_length(output) as output, octet_length(payload) as payload`;

/** The columns of a run that is read whole, for the same fields. */
export function wholeColumns(fields: readonly RunField[] | null): string {
  return ['seq', ...SHORT_COLUMNS, ...longColumns(fields)].join(', ');
}

/** The value of {@link ListedRunRow.packed}. */
type PackedRun = readonly [seq: number, ...values: ValuesOf<typeof SHORT_COLUMNS>];

type ValuesOf<C extends readonly (keyof RunRow)[]> = { [I in keyof C]: RunRow[C[I]] };

/**
 * A run of a page, without the values that are too large for the page. The columns are named one by
 * one, because a loop takes twice as long.
 */
export function toListedRun({
  packed,
  output = null,
  payload = null,
}: ListedRunRow): Listed<StoredRun, StoredRun> {
  const [
    seq,
    id,
    job_name,
    status,
    attempt,
    step_count,
    heartbeat_at,
    created_at,
    started_at,
    completed_at,
    updated_at,
    idempotency_key,
    concurrency_key,
    progress,
    error,
    labels,
    failed_step_name,
    error_detail,
    waits,
    parent_run_id,
    schedule_id,
    scheduled_for,
  ] = decodeJson(packed) as PackedRun;
  const bytes = packed.length + sizeOf(output) + sizeOf(payload) + sizeOf(error_detail);
  return {
    key: seq,
    bytes,
    isWhole: isWhole(output) && isWhole(payload) && isWhole(error_detail),
    row: toRun({
      id,
      job_name,
      status,
      attempt,
      step_count,
      heartbeat_at,
      created_at,
      started_at,
      completed_at,
      updated_at,
      idempotency_key,
      concurrency_key,
      progress,
      error,
      labels,
      failed_step_name,
      error_detail: typeof error_detail === 'string' ? error_detail : null,
      waits,
      parent_run_id,
      schedule_id,
      scheduled_for,
      // A payload that is too large is read later.
      output: typeof output === 'string' ? output : null,
      payload: typeof payload === 'string' ? payload : '',
    }),
  };
}

/** These fields of a run, in their usual order. */
export function selectFields(run: StoredRun, fields: readonly RunField[]): Partial<StoredRun> {
  return Object.fromEntries(
    RUN_FIELDS.flatMap((field) => (fields.includes(field) ? [[field, run[field]]] : [])),
  );
}

/** A value that was not read must not be used: the output is null then, and the payload is no JSON. */
export function toRun(row: Omit<WholeRunRow, 'seq'>): StoredRun {
  const { output = null, payload = '' } = row;
  const hasFailed = row.status === 'failed';
  return {
    id: row.id,
    jobName: row.job_name,
    payload: new JsonText(payload),
    status: row.status,
    isTerminal: isTerminal(row.status),
    isActive: !isTerminal(row.status),
    waits: row.status === 'waiting' ? ((decodeJson(row.waits) ?? []) as RunWait[]) : NO_WAITS,
    idempotencyKey: bareKey(row.idempotency_key),
    concurrencyKey: row.concurrency_key,
    parentRunId: row.parent_run_id,
    scheduleId: row.schedule_id,
    scheduledFor: timeOrNull(row.scheduled_for),
    labels: row.labels === null ? {} : (decodeJson(row.labels) as Labels),
    currentStepIndex: row.step_count,
    stepCount: row.step_count,
    progress: row.progress === null ? null : (decodeJson(row.progress) as RunProgress),
    output: JsonText.of(output),
    error: row.error,
    errorDetail: hasFailed ? JsonText.ofDetail(row.error_detail) : null,
    failedStepName: hasFailed ? (row.failed_step_name ?? UNKNOWN_STEP) : null,
    attempt: row.attempt,
    heartbeatAt: timeOrNull(row.heartbeat_at),
    createdAt: toIsoTime(row.created_at),
    startedAt: timeOrNull(row.started_at),
    completedAt: timeOrNull(row.completed_at),
    updatedAt: toIsoTime(row.updated_at),
  };
}

const NO_WAITS: readonly RunWait[] = [];

function timeOrNull(epochMs: number | null): string | null {
  return epochMs === null ? null : toIsoTime(epochMs);
}
