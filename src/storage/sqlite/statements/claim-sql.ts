import { MAX_LOST_WORKERS, SUSPECT_AFTER_LOST_WORKERS } from '../../../core/run.ts';
import { NOW_MS } from '../sql.ts';
import { isFrom, statusAfter } from './transitions.ts';

/**
 * A claim takes the oldest claimable runs, in one statement that is also the
 * recovery of runs whose worker vanished. Its parameters.
 */
const JOB_NAMES = '?1'; // a JSON array
const LIMIT = '?2';
const CLAIM_TOKEN = '?3';
const STALE_THRESHOLD_MS = '?4';
const TAKES_SUSPECT = '?5'; // 1 or 0
const INLINE_BYTES = '?6';

/** What the payloads that come with a claim's answer take together at most. */
export const ANSWER_BYTES = 2 * 1024 * 1024;

/** What the payloads of one claim take together at most over a network; one run may have a larger one. */
const CLAIM_BYTES = 4 * 1024 * 1024;

/** Nothing runs with the concurrency key of the pending run `p`. */
const KEY_IS_FREE = `not exists (
  select 1 from durably_runs o where o.status = 'running' and o.concurrency_key = p.concurrency_key
)`;

/**
 * No other of these jobs has an older run waiting for the key of the pending
 * run `p`. Within one job, `key_turn` says so; between jobs this asks the index
 * once for each job.
 */
const IS_OLDEST_OF_KEY = `not exists (
  select 1 from json_each(${JOB_NAMES}) other
  where other.value <> p.job_name and exists (
    select 1 from durably_runs o
    where ${isFrom('claim', 'o')} and o.concurrency_key = p.concurrency_key
      and o.job_name = other.value and o.seq < p.seq
  )
)`;

/** The oldest pending runs of a job `job` whose turn it is at their key, if they have one. */
const claimable = (limit: string) => `
select p.seq from durably_runs p indexed by durably_runs_claimable
where ${isFrom('claim', 'p')} and p.key_turn = 1 and p.job_name = job.value
  and (p.lost_count < ${SUSPECT_AFTER_LOST_WORKERS} or ${TAKES_SUSPECT})
  and (p.concurrency_key is null or (${KEY_IS_FREE} and ${IS_OLDEST_OF_KEY}))
order by p.seq
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

/** The run `s`, about to lose one worker more, may be what ends its workers. */
const IS_SUSPECT = `s.lost_count + 1 >= ${SUSPECT_AFTER_LOST_WORKERS}`;

/**
 * The stale runs of these jobs, of the suspects at most the oldest: whatever
 * ends the workers must not take the others along. (Suspects are one group, each
 * other run is its own.)
 */
const RECOVERABLE = `
select min(s.seq) from durably_runs s
where s.seq in (${STALE})
  and s.job_name in (select value from json_each(${JOB_NAMES}))
  and (not ${IS_SUSPECT} or ${TAKES_SUSPECT})
group by iif(${IS_SUSPECT}, 0, s.seq)`;

/** The runs that may be taken, the oldest first. */
const candidates = (limit: string) => `
select r.seq from json_each(${JOB_NAMES}) job cross join durably_runs r where r.seq in (${claimable(limit)})
union all ${RECOVERABLE}
order by 1
limit ${limit}`;

/** All candidates: their payloads are read in portions. */
const TAKEN = candidates(LIMIT);

/**
 * The first candidates, as many as their payloads fit into {@link CLAIM_BYTES}, and at least one.
 * Over a network each portion of payloads takes a request, and leases grow stale meanwhile.
 */
const FITTING = `
select t.seq from (
  select c.seq, c.bytes, sum(c.bytes) over (order by c.seq) as total from (
    select r.seq, octet_length(r.payload) as bytes from durably_runs r where r.seq in (${TAKEN})
  ) c
) t
where t.total <= ${CLAIM_BYTES} or t.total = t.bytes`;

/** The run was running: its worker is lost, and this claim takes it over or fails it. */
const IS_LOST = isFrom('takeOver');
const IS_LOST_FOR_GOOD = `${IS_LOST} and lost_count + 1 >= ${MAX_LOST_WORKERS}`;

/** No earlier sending has taken runs: a repeated claim takes no others. */
const IS_FIRST = `not exists (
  select 1 from durably_runs earlier indexed by durably_runs_leases
  where earlier.status = 'running' and earlier.claim_token = ${CLAIM_TOKEN}
)`;

/** The races: SQLite has one writer, so of two claims the second sees the first's rows as running and fresh. */
const CLAIMS = {
  local: { first: claimSql(TAKEN), again: claimSql(TAKEN, IS_FIRST) },
  remote: { first: claimSql(FITTING), again: claimSql(FITTING, IS_FIRST) },
};

/** @param about.isRepeated it was sent before, and may have taken runs. */
export function claimStatement({
  isRemote,
  isRepeated,
}: {
  readonly isRemote: boolean;
  readonly isRepeated: boolean;
}): string {
  return CLAIMS[isRemote ? 'remote' : 'local'][isRepeated ? 'again' : 'first'];
}

function claimSql(taken: string, condition?: string): string {
  return `
update durably_runs set
  status = iif(${IS_LOST_FOR_GOOD}, ${statusAfter('fail')}, ${statusAfter('claim')}),
  error = iif(${IS_LOST_FOR_GOOD}, 'worker lost ${MAX_LOST_WORKERS} times', null),
  completed_at = iif(${IS_LOST_FOR_GOOD}, ${NOW_MS}, null),
  attempt = attempt + iif(${IS_LOST}, not (${IS_LOST_FOR_GOOD}), claim_kind = 'start'),
  claim_kind = iif(${IS_LOST}, 'takeover', claim_kind),
  lost_count = lost_count + (${IS_LOST}),
  fence = fence + 1,
  append_count = 0,
  claim_token = ${CLAIM_TOKEN},
  heartbeat_at = ${NOW_MS},
  started_at = coalesce(started_at, ${NOW_MS}),
  updated_at = ${NOW_MS}
where ${condition === undefined ? '' : `${condition} and `}seq in (${taken})
returning ${claimColumns('durably_runs', INLINE_BYTES)}`;
}

/**
 * Whether a claim that took runs, and fewer than it asked for, left some for their bytes. Asked right after it.
 * Its parameters are those of the claim but for the last one.
 */
export const LEFT_BEHIND = `
select 1 as more
where (
  select count(*) from durably_runs taken indexed by durably_runs_leases
  where taken.status = 'running' and taken.claim_token = ${CLAIM_TOKEN}
) between 1 and ${LIMIT} - 1 and exists (${candidates('1')})`;

/** Asks for the runs of a claim whose answer was lost: they bear its token. */
export const CLAIMED = `
select ${claimColumns('c', '?3')} from durably_runs c indexed by durably_runs_leases
where c.status = ${statusAfter('claim')} and c.claim_token = ?2`;

/** @param inlineBytes a payload that is larger is not part of the answer: a server refuses a large one, with the claim made. */
function claimColumns(table: string, inlineBytes: string): string {
  const columns = [
    'id',
    'job_name',
    'status',
    'error',
    'claim_kind',
    'attempt',
    'fence',
    'step_count',
    'lost_count',
    'retry_count',
    'concurrency_key',
    'parent_run_id',
    'depth',
  ].map((column) => `${table}.${column}`);
  const payload = `iif(
  octet_length(${table}.payload) <= ${inlineBytes}, ${table}.payload, octet_length(${table}.payload)
) as payload`;
  // It names the row, for SQLite evaluates a subquery that names none only once: before the last row is taken.
  const more = `exists (
  select 1 from json_each(${JOB_NAMES}) job where exists (
    select 1 from durably_runs p
    where ${isFrom('claim', 'p')} and p.key_turn = 1 and p.job_name = job.value
      and p.seq <> ${table}.seq
  )
) as more`;
  return [...columns, `${NOW_MS} as now_ms`, payload, more].join(', ');
}

/** At most so many runs are woken at once, for other writes wait meanwhile. */
export const MAX_WOKEN = 200;

/** Waiting runs whose time has come are pending again. Their places in the order are their old ones. */
export const WAKE = `
update durably_runs set status = ${statusAfter('wake')}, due_at = null, waits = null, updated_at = ${NOW_MS}
where seq in (
  select w.seq from durably_runs w indexed by durably_runs_due
  where ${isFrom('wake', 'w')} and w.due_at <= ${NOW_MS}
  order by w.due_at limit ${MAX_WOKEN}
)
returning seq`;

export const PAYLOADS =
  'select id, fence, payload from durably_runs where id in (select value from json_each(?))';
