import type { StatsLook, StatsRow, StoredStats } from '../../../../core/stats/stats-store.ts';
import { WEBHOOK_JOB } from '../../../../core/webhooks/webhooks.ts';
import type { Connection } from '../../connection/connection.ts';
import { foldPortion, PLACE_COLUMNS, type PlaceRow } from './fold-stats.ts';

/** Fewer rows of the journal than this are only read. */
const MAX_READ_ROWS = 1_000;
/** How many portions a caller waits for. If there are more, the answer says up to when it is complete. */
const MAX_PORTIONS = 20;

const PLACE = `select ${PLACE_COLUMNS} from durably_stats_place where id = 1`;

const COLUMNS =
  's.at as atMs, s.job_name as jobName, s.started, s.completed, s.failed, s.cancelled, s.durations';
const AMONG_JOBS = '(select value from json_each(?4))';

/** ?1 the length of a bucket, ?2 where the first begins, ?3 the most rows, ?4 the names of jobs. */
const FOLDED = {
  ofAll: `
select ${COLUMNS} from durably_stats s where s.span_ms = ?1 and s.at >= ?2
  and s.job_name <> '${WEBHOOK_JOB}' order by s.at limit ?3`,
  ofSome: `
select ${COLUMNS} from json_each(?4) n cross join durably_stats s indexed by durably_stats_by_job
where s.job_name = n.value and s.span_ms = ?1 and s.at >= ?2 limit ?3`,
} as const;

/** What is not folded yet is made into the same rows. */
const newRows = (jobs: 'ofAll' | 'ofSome') => `
select s.at as atMs, s.job_name as jobName, sum(s.started) as started, sum(s.completed) as completed, sum(s.failed) as failed,
  sum(s.cancelled) as cancelled, json_group_object(s.bin, s.runs) filter (where s.bin is not null) as durations
from (
  select e.created_at - e.created_at % ?1 as at, e.job_name, e.bin, count(*) as runs, sum(e.started) as started,
    sum(e.completed) as completed, sum(e.failed) as failed, sum(e.cancelled) as cancelled
  from durably_stat_events e
  where e.sequence > (select up_to from durably_stats_place where id = 1) and e.created_at >= ?2
    ${jobs === 'ofSome' ? `and e.job_name in ${AMONG_JOBS}` : `and e.job_name <> '${WEBHOOK_JOB}'`}
  group by 1, 2, 3
) s
group by 1, 2 limit ?3`;

/** One statement, so that no event is in both or in neither. */
const withNew = (jobs: 'ofAll' | 'ofSome') =>
  `select atMs, jobName, started, completed, failed, cancelled, durations from (${FOLDED[jobs]})
union all select atMs, jobName, started, completed, failed, cancelled, durations from (${newRows(jobs)})`;

const WITH_NEW = { ofAll: withNew('ofAll'), ofSome: withNew('ofSome') } as const;

/** The buckets since a time. */
export async function readStats(connection: Connection, look: StatsLook): Promise<StoredStats> {
  const deadlineMs = connection.callerDeadline();
  let [place] = await connection.execute<PlaceRow>({ sql: PLACE, parameters: [], deadlineMs });
  for (let i = 0; i < MAX_PORTIONS && place !== undefined && isBehind(place); i++) {
    place = (await foldPortion(connection, deadlineMs)) ?? place;
  }
  if (place === undefined) throw new Error('the stats have no place in the journal');
  const isLate = isBehind(place);
  const { spanMs, since, jobNames, limit } = look;
  const fromMs = 'atMs' in since ? since.atMs : place.now_ms - since.agoMs;
  const sinceMs = Math.floor(fromMs / spanMs) * spanMs;
  const statements = isLate ? FOLDED : WITH_NEW;
  const rows = await connection.execute<StatsRow>({
    sql: jobNames === null ? statements.ofAll : statements.ofSome,
    parameters: [spanMs, sinceMs, limit, ...(jobNames === null ? [] : [JSON.stringify(jobNames)])],
    deadlineMs,
  });
  return { sinceMs, asOfMs: isLate ? Math.min(place.folded_ms, place.now_ms) : place.now_ms, rows };
}

/** Whether too many events are not folded yet to be read along. */
function isBehind({ up_to, head }: PlaceRow): boolean {
  return head - up_to > MAX_READ_ROWS;
}
