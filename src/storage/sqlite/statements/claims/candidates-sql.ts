import { SUSPECT_AFTER_LOST_WORKERS } from '../../../../core/run.ts';
import { NOW_MS } from '../../sql.ts';
import { isFrom } from '../transitions.ts';

/** The first parameters of a claim and of the statements about it. */
export const JOB_NAMES = '?1'; // a JSON array
export const LIMIT = '?2';
export const CLAIM_TOKEN = '?3';
const STALE_THRESHOLD_MS = '?4';
const TAKES_SUSPECT = '?5'; // 1 or 0

/** SQL: the names of jobs, and not of paused ones. @param name the name of the table */
export const unpausedJobs = (name: string) =>
  `json_each(${JOB_NAMES}) ${name} where ${name}.value not in (select job_name from durably_paused_jobs)`;

/** No other run has the concurrency key of the pending run `p`: none runs with it, and none holds it while it waits. */
const KEY_IS_FREE = `not exists (
  select 1 from durably_runs o where o.status = 'running' and o.concurrency_key = p.concurrency_key
) and not exists (
  select 1 from durably_runs o indexed by durably_runs_holding where o.holds = 1 and o.concurrency_key = p.concurrency_key
)`;

/**
 * No other of these jobs has a run that comes before the pending run `p` at its key. Within one job,
 * `key_turn` says so; between jobs this asks the index once for each job.
 */
const IS_FIRST_OF_KEY = `not exists (
  select 1 from ${unpausedJobs('other')} and other.value <> p.job_name and (p.priority, -p.seq) < (
    select o.priority, -o.seq from durably_runs o
    where ${isFrom('claim', 'o')} and o.concurrency_key = p.concurrency_key and o.job_name = other.value
    order by o.priority desc, o.seq limit 1
  )
)`;

/** The pending run `p` is not one that may be what ends its workers, or one such run may be taken. */
export const MAY_BE_TAKEN = `(p.lost_count < ${SUSPECT_AFTER_LOST_WORKERS} or ${TAKES_SUSPECT})`;

/** Nothing but the limits of its job keeps the pending run `p`, whose turn it is at its key, from being claimed. */
export const MAY_BE_CLAIMED = `${MAY_BE_TAKEN}
  and (p.concurrency_key is null or p.holds = 1 or (${KEY_IS_FREE} and ${IS_FIRST_OF_KEY}))`;

/** The first pending runs of a job that are in no line, and whose turn it is at their key, if they have one. */
export const claimable = ({
  job,
  limit,
  condition,
}: {
  job: string;
  limit: string;
  condition?: string | undefined;
}) => `
select p.seq from durably_runs p indexed by durably_runs_claimable
where ${isFrom('claim', 'p')} and p.key_turn = 1 and p.job_name = ${job}${condition === undefined ? '' : ` and ${condition}`}
  and ${MAY_BE_CLAIMED}
order by p.priority desc, p.seq
limit ${limit}`;

/**
 * Runs whose lease nobody renews: the heartbeat is too old, or so far in the
 * future that the database's clock was set back since the worker vanished. Each
 * is a range of one index.
 */
const STALE = `
select seq from durably_runs indexed by durably_runs_leases
where ${isFrom('takeOver')} and heartbeat_at < ${NOW_MS} - ${STALE_THRESHOLD_MS}
union all
select seq from durably_runs indexed by durably_runs_leases
where ${isFrom('takeOver')} and heartbeat_at > ${NOW_MS} + ${STALE_THRESHOLD_MS}`;

/** Whether the run `s` may be what ends its workers. It is about to lose one more. */
const IS_SUSPECT = `s.lost_count + 1 >= ${SUSPECT_AFTER_LOST_WORKERS}`;

/**
 * The stale runs of these jobs and their priorities, of the suspects at most the oldest: whatever
 * ends the workers must not take the others along. (Suspects are one group, each
 * other run is its own.)
 */
export const RECOVERABLE = `
select min(s.seq) as seq, s.priority from durably_runs s
where s.seq in (${STALE})
  and s.job_name in (select j.value from ${unpausedJobs('j')})
  and (not ${IS_SUSPECT} or ${TAKES_SUSPECT})
group by iif(${IS_SUSPECT}, 0, s.seq)`;

/** SQL in two parts: what stands before the statement, and the query itself. */
export interface Candidates {
  readonly ctes: string;
  readonly select: (limit: string) => string;
}

/** The runs that may be taken: higher priorities first, then the order of insertion. */
export const CANDIDATES: Candidates = {
  ctes: '',
  select: (limit) => `
select c.seq from (
  select r.seq, r.priority from (select job.value as name from ${unpausedJobs('job')}) j
    cross join durably_runs r where r.seq in (${claimable({ job: 'j.name', limit })})
  union all ${RECOVERABLE}
  order by 2 desc, 1
  limit ${limit}
) c`,
};
