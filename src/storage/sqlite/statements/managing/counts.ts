import type { JobCounts } from '../../../../core/managing/managing-store.ts';
import type { Sql, WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import { readCurrent } from '../current-reads.ts';
import { LEFT_OVER } from '../deletions.ts';
import { PLACES } from '../places.ts';

/** How many rows of the journal are added at once, because other writes wait meanwhile. */
const PORTION_ROWS = 5_000;
/** Fewer rows than this are only read. */
const MAX_READ_ROWS = 2 * PORTION_ROWS;
/** With more rows than this, all runs are counted instead. */
const MAX_ADDED_ROWS = 400 * PORTION_ROWS;
/** Up to this number, runs that are pending or waiting are counted. */
const MAX_COUNTED = 1_000;

const HEAD = '(select coalesce(max(sequence), 0) from durably_journal)';

const countUps: WriteKind<Sql, void> = {
  name: 'counting',
  place: PLACES.deletion,
  sizeOf: () => ({ rows: PORTION_ROWS, chars: 0 }),
  compile: (members) => ({ statements: members, decode: () => members.map(() => undefined) }),
};

const COUNT_ALL = `update durably_counting set rounds = rounds + 1, up_to = ${HEAD} where id = 1 returning id`;
const COUNT_ON = `
update durably_counting set up_to = min(up_to + ${PORTION_ROWS}, ${HEAD}) where id = 1 and up_to < ${HEAD} returning id`;

const PLACE = `select up_to as upTo, ${HEAD} as head from durably_counting where id = 1`;

const counted = (status: string) =>
  `(select count(*) from (select 1 from durably_runs r indexed by durably_runs_by_job
    where r.job_name = c.job_name and r.status = '${status}' limit ${MAX_COUNTED + 1}))`;

/**
 * The numbers of one moment. The active runs are known together. Few of them run, and those that are pending, or those that
 * wait, are the rest, unless both are many.
 */
const COUNTS = `
with counts as materialized (
  select s.job_name, sum(s.active) as active, sum(s.completed) as completed, sum(s.failed) as failed,
    sum(s.cancelled) as cancelled
  from (
    select t.job_name, t.active, t.completed, t.failed, t.cancelled from durably_counts t
    union all
    select j.job_name, j.active, j.completed, j.failed, j.cancelled from durably_counted j
    where j.sequence > (select up_to from durably_counting where id = 1) and not ${LEFT_OVER}
  ) s group by s.job_name
), few as materialized (
  select c.job_name, c.active, c.completed, c.failed, c.cancelled, ${counted('pending')} as pending, ${counted('waiting')} as waiting,
    (select count(*) from durably_runs r indexed by durably_runs_by_job
      where r.job_name = c.job_name and r.status = 'running') as running
  from counts c
), active as materialized (
  select f.job_name, f.active, f.completed, f.failed, f.cancelled, f.running, case
    when f.pending <= ${MAX_COUNTED} then f.pending
    when f.waiting <= ${MAX_COUNTED} then f.active - f.running - f.waiting
    else (select count(*) from durably_runs r indexed by durably_runs_by_job
      where r.job_name = f.job_name and r.status = 'pending')
  end as pending
  from few f
)
select a.job_name as jobName, a.pending, a.active - a.running - a.pending as waiting, a.running, a.completed, a.failed, a.cancelled
from active a`;

/** How many runs each job has in each status. */
export async function countRuns(connection: Connection): Promise<JobCounts[]> {
  for (;;) {
    const [place] = await readCurrent<{ upTo: number | null; head: number }>(connection, {
      sql: PLACE,
      parameters: [],
    });
    const behind = place?.upTo == null ? Number.POSITIVE_INFINITY : place.head - place.upTo;
    if (behind <= MAX_READ_ROWS) break;
    const sql = behind > MAX_ADDED_ROWS ? COUNT_ALL : COUNT_ON;
    await connection.lane.submit(countUps, { sql, parameters: [] });
  }
  return await readCurrent<JobCounts>(connection, { sql: COUNTS, parameters: [] });
}
