import type { StoredLine } from '../../../../core/stats/vitals.ts';
import type { Connection } from '../../connection/connection.ts';
import { NOW_MS } from '../../sql.ts';

/** How many runs of each line are looked at for the oldest. */
const MAX_LOOKED_AT = 100;

const active = (status: string) =>
  `(select count(*) from durably_runs r indexed by durably_runs_by_job
    where r.job_name = j.name and r.status = '${status}')`;

const nameAfter = (name: string) =>
  `(select min(r.job_name) from durably_runs r indexed by durably_runs_by_job where r.job_name > ${name})`;

/**
 * It goes from one name to the next, and counts what is active, so runs that have ended cost nothing. It is asked for again and again,
 * so it only reads: the counts of all runs (ADR 31) would have to be brought up to date.
 */
const LINES = `
with recursive jobs(name) as (
  select ${nameAfter("''")}
  union all
  select ${nameAfter('jobs.name')} from jobs where jobs.name is not null
)
select j.name as jobName, ${active('pending')} as pending, ${active('waiting')} as waiting,
  ${active('running')} as running, coalesce(${NOW_MS} - (
  select min(p.updated_at) from (
    select r.updated_at from durably_runs r indexed by durably_runs_by_job
    where r.job_name = j.name and r.status = 'pending' order by r.seq limit ${MAX_LOOKED_AT}
  ) p
), 0) as oldestPendingMs
from jobs j where j.name is not null`;

/** The active runs of each job that has runs, and how long its line has been waiting. */
export async function listLines(connection: Connection): Promise<StoredLine[]> {
  const rows = await connection.execute<StoredLine>({ sql: LINES, parameters: [] });
  return rows.map(({ jobName, pending, waiting, running, oldestPendingMs }) => ({
    jobName,
    pending: Number(pending),
    waiting: Number(waiting),
    running: Number(running),
    oldestPendingMs: Number(oldestPendingMs),
  }));
}
