import { decodeJson } from '../../../../core/json/json.ts';
import type {
  DueSchedule,
  MissedPolicy,
  OverlapPolicy,
  StoredSchedule,
} from '../../../../core/schedules/schedule.ts';
import type { Timing } from '../../../../core/schedules/timing.ts';
import { NOW_MS } from '../../sql.ts';
import { readLimitKeys } from '../claims/limit-keys.ts';

const DUE_COLUMNS = [
  'id',
  'job_name',
  'revision',
  'timing',
  'anchor_at',
  'next_at',
  'paused_at',
  'fixed_version',
  'missed',
  'overlap',
];
const OTHER_COLUMNS = ['priority', 'limit_key', 'rate_key', 'created_at', 'updated_at', 'labels'];

/** SQL: what a process needs to fire the schedule `s`. */
export const DUE_SCHEDULE = [...DUE_COLUMNS.map((column) => `s.${column}`), `${NOW_MS} as now_ms`].join(', ');

/** SQL: the columns of the schedule `s` but its payload. */
export const SCHEDULE = [...OTHER_COLUMNS.map((column) => `s.${column}`), DUE_SCHEDULE].join(', ');

export interface DueScheduleRow {
  readonly id: string;
  readonly job_name: string;
  readonly revision: string;
  readonly timing: string;
  readonly anchor_at: number;
  readonly next_at: number | null;
  readonly paused_at: number | null;
  readonly fixed_version: number | null;
  readonly missed: MissedPolicy;
  readonly overlap: OverlapPolicy;
  readonly now_ms: number;
}

export interface ScheduleRow extends DueScheduleRow {
  readonly priority: number;
  readonly limit_key: string | null;
  readonly rate_key: string | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly labels: string | null;
  readonly payload: string;
}

export function toDueSchedule(row: DueScheduleRow): DueSchedule {
  return {
    id: row.id,
    jobName: row.job_name,
    revision: row.revision,
    timing: { ...(decodeJson(row.timing) as Omit<Timing, 'anchorMs'>), anchorMs: row.anchor_at },
    nextAtMs: row.next_at,
    missed: row.missed,
    overlap: row.overlap,
    fixedVersion: row.fixed_version,
    isPaused: row.paused_at !== null,
    nowMs: row.now_ms,
  };
}

export function toStoredSchedule(row: ScheduleRow): StoredSchedule {
  return {
    ...toDueSchedule(row),
    payload: row.payload,
    labels: row.labels,
    priority: row.priority,
    ...readLimitKeys(row),
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
  };
}
