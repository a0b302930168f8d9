import type { Call } from '../../../../core/call.ts';
import type { JobCounts } from '../../../../core/managing/managing-store.ts';
import type { Connection } from '../../connection/connection.ts';
import { readCurrent } from '../current-reads.ts';
import { LEFT_OVER } from '../deletions.ts';
import { portionWrites } from '../portion-writes.ts';

/** How many rows of the journal are added at once, because other writes wait meanwhile. */
const PORTION_ROWS = 5_000;
/** Fewer rows than this are only read. */
const MAX_READ_ROWS = 2 * PORTION_ROWS;
/** A caller waits for each portion. With more rows than this, all runs are counted instead. */
const MAX_ADDED_ROWS = 10 * PORTION_ROWS;
/** Up to this number, runs that are pending or waiting are counted. */
const MAX_COUNTED = 1_000;

const HEAD = '(select coalesce(max(sequence), 0) from durably_journal)';

/** Up to where runs are counted, and where the journal ends. */
interface Place {
  readonly upTo: number | null;
  readonly head: number;
}

const countUps = portionWrites({ name: 'counting', rows: PORTION_ROWS });

const PLACE_COLUMNS = `up_to as upTo, ${HEAD} as head`;

const COUNT_ALL = `
update durably_counting set rounds = rounds + 1, up_to = ${HEAD} where id = 1 returning ${PLACE_COLUMNS}`;
const COUNT_ON = `
update durably_counting set up_to = min(up_to + ${PORTION_ROWS}, ${HEAD}) where id = 1 and up_to < ${HEAD}
returning ${PLACE_COLUMNS}`;

const PLACE = `select ${PLACE_COLUMNS} from durably_counting where id = 1`;

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
export async function countRuns(
  connection: Connection,
  { deadlineMs = connection.callerDeadline() }: Call = {},
): Promise<JobCounts[]> {
  let [place] = await readCurrent<Place>(connection, { sql: PLACE, parameters: [], deadlineMs });
  // While others write a lot, the journal may grow as fast as it is added. Then more of it is read.
  for (let added = 0; added < MAX_ADDED_ROWS && place !== undefined; added += PORTION_ROWS) {
    const behind = behindOf(place);
    if (behind <= MAX_READ_ROWS) break;
    const sql = behind > MAX_ADDED_ROWS ? COUNT_ALL : COUNT_ON;
    const [moved] = await connection.lane.submit(countUps, { sql, parameters: [] }, deadlineMs);
    place = moved && { upTo: Number(moved.upTo), head: Number(moved.head) };
  }
  return await readCurrent<JobCounts>(connection, { sql: COUNTS, parameters: [], deadlineMs });
}

/** How many rows were not counted yet. All, if nobody has asked before. */
function behindOf({ upTo, head }: Place): number {
  return upTo === null ? Number.POSITIVE_INFINITY : head - upTo;
}
