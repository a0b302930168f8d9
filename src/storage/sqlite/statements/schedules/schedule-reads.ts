import type { Call } from '../../../../core/call.ts';
import type { DueSchedule, StoredSchedule } from '../../../../core/schedules/schedule.ts';
import type { KnownSchedule } from '../../../../core/schedules/schedule-store.ts';
import type { Connection } from '../../connection/connection.ts';
import { readCurrent } from '../current-reads.ts';
import {
  DUE_SCHEDULE,
  type DueScheduleRow,
  SCHEDULE,
  type ScheduleRow,
  toDueSchedule,
  toStoredSchedule,
} from './schedule-rows.ts';

/** With the time, even if there is no such schedule. */
const ONE = `select ${SCHEDULE}, s.payload
from (select 1) left join durably_schedules s on s.id = ?`;

/** As of now, because what is to be stored depends on it. */
export async function getSchedule(connection: Connection, id: string): Promise<KnownSchedule> {
  const [row] = await readCurrent<Omit<ScheduleRow, 'id'> & { readonly id: string | null }>(connection, {
    sql: ONE,
    parameters: [id],
    deadlineMs: connection.callerDeadline(),
  });
  if (row === undefined) throw new Error('the database has no time');
  const { id: found } = row;
  return { schedule: found === null ? null : toStoredSchedule({ ...row, id: found }), nowMs: row.now_ms };
}

const PAGE_ROWS = 100;
/** A larger payload is read by itself. */
const INLINE_BYTES = 16 * 1024;

const PAGE = `
select ${SCHEDULE}, iif(octet_length(s.payload) <= ${INLINE_BYTES}, s.payload, null) as payload
from durably_schedules s where s.id > ? order by s.id limit ${PAGE_ROWS}`;

const PAYLOAD = 'select payload from durably_schedules where id = ? and revision = ?';

type PageRow = Omit<ScheduleRow, 'payload'> & { readonly payload: string | null };

/** By id. */
export async function* listSchedules(connection: Connection): AsyncGenerator<readonly StoredSchedule[]> {
  let after = '';
  for (;;) {
    const page = await readCurrent<PageRow>(connection, { sql: PAGE, parameters: [after] });
    const whole: StoredSchedule[] = [];
    for (const row of page) {
      const payload = row.payload ?? (await readPayload(connection, row));
      // It may have been changed or deleted meanwhile.
      if (payload !== undefined) whole.push(toStoredSchedule({ ...row, payload }));
    }
    yield whole;
    if (page.length < PAGE_ROWS) return;
    after = page.at(-1)?.id ?? '';
  }
}

async function readPayload(connection: Connection, { id, revision }: PageRow): Promise<string | undefined> {
  const [row] = await readCurrent<{ payload: string }>(connection, {
    sql: PAYLOAD,
    parameters: [id, revision],
  });
  return row?.payload;
}

/** The payloads are not read: they stand last in their rows. */
const OF_JOBS = `
select ${DUE_SCHEDULE} from (
  select o.id from (
    select i.id, i.job_name, row_number() over (partition by i.job_name order by i.id) as place
    from durably_schedules i where i.job_name in (select value from json_each(?1))
  ) o where o.place <= ?2
) f cross join durably_schedules s on s.id = f.id order by s.id`;

/** Of each of these jobs the first ones by id. */
export async function listJobSchedules(
  connection: Connection,
  { jobNames, atMost }: { readonly jobNames: readonly string[]; readonly atMost: number },
  { deadlineMs }: Call = {},
): Promise<DueSchedule[]> {
  const parameters = [JSON.stringify(jobNames), atMost];
  const statement = { sql: OF_JOBS, parameters, deadlineMs };
  return (await readCurrent<DueScheduleRow>(connection, statement)).map(toDueSchedule);
}
