import type { ScheduleLook } from '../../../../core/schedules/schedule-store.ts';
import type { Sql } from '../../../writes.ts';
import { NOW_MS } from '../../sql.ts';
import { DUE_SCHEDULE } from './schedule-rows.ts';

/** The most schedules that one look finds. The others are found when these have moved on. */
const MAX_FOUND = 200;

/** The schedules of these jobs that are due now or soon. ?1 the names of jobs, ?2 what soon is, in ms. */
const DUE_SCHEDULES = `
select ${DUE_SCHEDULE} from json_each(?1) j
cross join durably_schedules s indexed by durably_schedules_due
where s.job_name = j.value and s.paused_at is null and s.next_at <= ${NOW_MS} + ?2
order by s.next_at limit ${MAX_FOUND}`;

/** Reads them along with a claim or a look. */
export function dueSchedulesSql({ jobNames, withinMs }: ScheduleLook): Sql {
  return { kind: 'read', sql: DUE_SCHEDULES, parameters: [JSON.stringify(jobNames), Math.ceil(withinMs)] };
}
