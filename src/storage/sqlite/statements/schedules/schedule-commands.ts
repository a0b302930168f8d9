import type { Call } from '../../../../core/call.ts';
import type { StoredSchedule } from '../../../../core/schedules/schedule.ts';
import type {
  DeletedSchedule,
  NewSchedule,
  ResumedSchedule,
} from '../../../../core/schedules/schedule-store.ts';
import type { Rows, Sql, WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import type { OptionalSchema } from '../../migrations/optional-schema.ts';
import { NOW_MS } from '../../sql.ts';
import { isInLine, storedLimitKey, storedRateKey } from '../claims/limit-keys.ts';
import { PLACES } from '../places.ts';
import { SCHEDULE, type ScheduleRow, toStoredSchedule } from './schedule-rows.ts';

/** The columns by which a schedule that is put again is the same. */
const COMPARED = [
  'job_name',
  'timing',
  'missed',
  'overlap',
  'priority',
  'limit_key',
  'rate_key',
  'fixed_version',
  'labels',
  'payload',
];
const listed = (prefix = '') => COMPARED.map((column) => prefix + column).join(', ');

/**
 * Stores a schedule, or changes it. Only another timing gives it another next slot. Of two callers the later one wins; a
 * caller does not change a fixed one, and an older version of a job not what a newer one has said.
 * ?1 a JSON array, ?2 the payload.
 */
const PUT = `
insert into durably_schedules (id, revision, anchor_at, next_at, ${listed()})
select ?1->>0, ?1->>1, ?1->>2, ?1->>3, ?1->>4, ?1->>5, ?1->>6, ?1->>7, ?1->>8, ?1->>9, ?1->>10, ?1->>11, ?1->>12, ?2
where true
on conflict (id) do update set
  revision = excluded.revision,
  anchor_at = iif(timing = excluded.timing, anchor_at, excluded.anchor_at),
  next_at = iif(timing = excluded.timing, next_at, excluded.next_at),
  ${COMPARED.map((column) => `${column} = excluded.${column}`).join(', ')},
  updated_at = ${NOW_MS}
where (${listed()}) is not (${listed('excluded.')}) and coalesce(excluded.fixed_version >= fixed_version, fixed_version is null)`;

/** ?1 the id. */
const PAUSE = `update durably_schedules set paused_at = ${NOW_MS} where id = ?1 and paused_at is null`;

/** ?1 the id, ?2 the revision by which its next slot was found, ?3 that slot; 0 if there is none. */
const RESUME = `update durably_schedules set paused_at = null, next_at = nullif(?3, 0)
where id = ?1 and revision = ?2 and paused_at is not null`;

/** ?1 the id, ?2 the version of the job up to which a fixed one is removed; 0 for one that a caller has put. */
const DELETE = `delete from durably_schedules
where id = ?1 and iif(?2 = 0, fixed_version is null, fixed_version <= ?2)
returning id`;

/** A run beside the slots. Sent again, it is made once. ?1 the schedule, ?2 the run. */
const FIRE_NOW = `
insert into durably_runs (id, job_name, payload, labels, priority, schedule_id, limit_key, rate_key, key_turn)
select ?2, s.job_name, s.payload, s.labels, s.priority, s.id, s.limit_key, s.rate_key,
  iif(coalesce(s.limit_key, s.rate_key) is null, 1, 3)
from durably_schedules s where s.id = ?1
on conflict (id) do nothing`;

const MADE = 'select job_name from durably_runs where id = ?';

/** The schedule after the write. */
const STATE = `select ${SCHEDULE}, s.payload from durably_schedules s where s.id = ?`;

interface Change {
  readonly write: Sql;
  readonly state: Sql;
}

interface Changed {
  /** The rows that the write returned. */
  readonly rows: Rows;
  readonly state: Rows;
  readonly isSentAgain: boolean;
}

/** Changes of schedules, in the order in which they came. */
const changes: WriteKind<Change, Changed> = {
  name: 'schedule',
  place: PLACES.command,
  sizeOf: ({ write }) => ({ rows: 1, chars: String(write.parameters[1] ?? '').length }),
  compile: (members, { sentAgain }) => ({
    statements: members.flatMap(({ write, state }): Sql[] => [write, { ...state, kind: 'read' }]),
    decode: (answers) =>
      members.map((_, i) => ({
        rows: answers[2 * i] ?? [],
        state: answers[2 * i + 1] ?? [],
        isSentAgain: sentAgain[i] === true,
      })),
  }),
};

async function change(
  connection: Connection,
  id: string,
  write: Sql,
  {
    state = { sql: STATE, parameters: [id] },
    deadlineMs = connection.callerDeadline(),
  }: { readonly state?: Sql } & Call = {},
): Promise<Changed> {
  return await connection.lane.submit(changes, { write, state }, deadlineMs);
}

function toSchedule([row]: Rows): StoredSchedule | null {
  return row === undefined ? null : toStoredSchedule(row as unknown as ScheduleRow);
}

export async function putSchedule(
  connection: Connection,
  schema: OptionalSchema,
  given: NewSchedule,
): Promise<StoredSchedule> {
  const deadlineMs = connection.callerDeadline();
  if (isInLine(given)) await schema.addLimits(deadlineMs);
  const { id, revision, anchorMs, nextAtMs, jobName, timing, missed, overlap, priority } = given;
  const { fixedVersion, labels, payload } = given;
  const values = [
    ...[id, revision, anchorMs, nextAtMs],
    ...[jobName, timing, missed, overlap, priority],
    ...[storedLimitKey(given), storedRateKey(given), fixedVersion, labels],
  ];
  const write = { sql: PUT, parameters: [JSON.stringify(values), payload] };
  const stored = toSchedule((await change(connection, id, write, { deadlineMs })).state);
  if (stored === null) throw new Error(`schedule ${id} was not stored`);
  return stored;
}

/** False for an unknown id. */
export async function pauseSchedule(connection: Connection, id: string): Promise<boolean> {
  return (await change(connection, id, { sql: PAUSE, parameters: [id] })).state.length > 0;
}

export async function resumeSchedule(
  connection: Connection,
  { id, revision, nextAtMs }: ResumedSchedule,
): Promise<StoredSchedule | null> {
  const parameters = [id, revision, nextAtMs ?? 0];
  return toSchedule((await change(connection, id, { sql: RESUME, parameters })).state);
}

export async function deleteSchedule(
  connection: Connection,
  { id, fixedVersion }: DeletedSchedule,
): Promise<'done' | 'not-found' | 'fixed'> {
  const write = { sql: DELETE, parameters: [id, fixedVersion ?? 0] };
  const { rows, state, isSentAgain } = await change(connection, id, write);
  if (rows.length > 0) return 'done';
  if (state.length > 0) return 'fixed';
  // It may have been deleted when it was sent first.
  return isSentAgain ? 'done' : 'not-found';
}

/** The name of the run's job. Undefined for an unknown schedule. */
export async function fireSchedule(
  connection: Connection,
  { id, runId }: { readonly id: string; readonly runId: string },
): Promise<string | undefined> {
  const write = { sql: FIRE_NOW, parameters: [id, runId] };
  const [row] = (await change(connection, id, write, { state: { sql: MADE, parameters: [runId] } })).state;
  return row === undefined ? undefined : String(row.job_name);
}
