import { MAX_LOST_WORKERS, SUSPECT_AFTER_LOST_WORKERS } from '../../../../core/run.ts';
import { NOW_MS } from '../../sql.ts';
import { isFrom, statusAfter } from '../transitions.ts';
import { CANCELS_BELOW, IS_OVERDUE, OVERDUE_DETAIL, OVERDUE_ERROR } from './due-sql.ts';

/**
 * A claim takes the first claimable runs (higher priorities first, then the order of insertion), in one
 * statement that is also the recovery of runs whose worker vanished. Its parameters.
 */
const JOB_NAMES = '?1'; // a JSON array
const LIMIT = '?2';
const CLAIM_TOKEN = '?3';
const STALE_THRESHOLD_MS = '?4';
const TAKES_SUSPECT = '?5'; // 1 or 0
const INLINE_BYTES = '?6';
/** What runs keep of their jobs from their first start on: a JSON array of [name, version, timeout in ms, its text]. */
const TERMS = '?7';

/** The most bytes of all payloads that come with a claim's answer. */
export const ANSWER_BYTES = 2 * 1024 * 1024;

/** The most bytes of all payloads of one claim over a network. A single run may have a larger one. */
const CLAIM_BYTES = 4 * 1024 * 1024;

/** Nothing runs with the concurrency key of the pending run `p`. */
const KEY_IS_FREE = `not exists (
  select 1 from durably_runs o where o.status = 'running' and o.concurrency_key = p.concurrency_key
)`;

/** Whether the other job has a pending run with the key of the run `p` of which this is true. */
const hasRunOfKey = (condition: string) => `exists (
    select 1 from durably_runs o
    where ${isFrom('claim', 'o')} and o.concurrency_key = p.concurrency_key
      and o.job_name = other.value and ${condition}
  )`;

/**
 * No other of these jobs has a run that comes before the pending run `p` at its key. Within one job,
 * `key_turn` says so; between jobs this asks the index twice for each job.
 */
const IS_FIRST_OF_KEY = `not exists (
  select 1 from json_each(${JOB_NAMES}) other
  where other.value <> p.job_name and (
    ${hasRunOfKey('o.priority > p.priority')} or ${hasRunOfKey('o.priority = p.priority and o.seq < p.seq')}
  )
)`;

/** The first pending runs of a job `job` whose turn it is at their key, if they have one. */
const claimable = (limit: string) => `
select p.seq from durably_runs p indexed by durably_runs_claimable
where ${isFrom('claim', 'p')} and p.key_turn = 1 and p.job_name = job.value
  and (p.lost_count < ${SUSPECT_AFTER_LOST_WORKERS} or ${TAKES_SUSPECT})
  and (p.concurrency_key is null or (${KEY_IS_FREE} and ${IS_FIRST_OF_KEY}))
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
const RECOVERABLE = `
select min(s.seq), s.priority from durably_runs s
where s.seq in (${STALE})
  and s.job_name in (select value from json_each(${JOB_NAMES}))
  and (not ${IS_SUSPECT} or ${TAKES_SUSPECT})
group by iif(${IS_SUSPECT}, 0, s.seq)`;

/** The runs that may be taken: higher priorities first, then the order of insertion. */
const candidates = (limit: string) => `
select c.seq from (
  select r.seq, r.priority from json_each(${JOB_NAMES}) job cross join durably_runs r where r.seq in (${claimable(limit)})
  union all ${RECOVERABLE}
  order by 2 desc, 1
  limit ${limit}
) c`;

/** All candidates: their payloads are read in portions. */
const TAKEN = candidates(LIMIT);

/**
 * The first candidates, as many as their payloads fit into {@link CLAIM_BYTES}, and at least one.
 * Over a network each portion of payloads takes a request, and leases grow stale meanwhile.
 */
const FITTING = `
select t.seq from (
  select c.seq, c.bytes, sum(c.bytes) over (order by c.priority desc, c.seq) as total from (
    select r.seq, r.priority, octet_length(r.payload) as bytes from durably_runs r where r.seq in (${TAKEN})
  ) c
) t
where t.total <= ${CLAIM_BYTES} or t.total = t.bytes`;

/** The run was running: its worker is lost, and this claim takes it over or fails it. */
const IS_LOST = isFrom('takeOver');
const IS_LOST_FOR_GOOD = `${IS_LOST} and lost_count + 1 >= ${MAX_LOST_WORKERS}`;

const FAILS = `(${IS_LOST_FOR_GOOD} or ${IS_OVERDUE})`;

/** What a run's job says of it, where the claim has terms of that job. */
const term = (index: number) =>
  `(select terms.value->>${index} from json_each(${TERMS}) terms where terms.value->>0 = job_name)`;

const atFirstStart = (value: string, column: string) => `iif(started_at is null, ${value}, ${column})`;

/** A run keeps the version and the timeout of its first start. */
const TERMS_KEPT = {
  none: { version: atFirstStart('1', 'version'), timeoutMs: 'timeout_ms', timeout: 'timeout' },
  given: {
    version: atFirstStart(`coalesce(${term(1)}, 1)`, 'version'),
    timeoutMs: atFirstStart(`coalesce(timeout_ms, ${term(2)})`, 'timeout_ms'),
    timeout: atFirstStart(`coalesce(timeout, ${term(3)})`, 'timeout'),
  },
};

/** No earlier sending has taken runs: a repeated claim takes no others. */
const IS_FIRST = `not exists (
  select 1 from durably_runs earlier indexed by durably_runs_leases
  where earlier.status = 'running' and earlier.claim_token = ${CLAIM_TOKEN}
)`;

/** What a claim's statement depends on. */
interface ClaimKindOf {
  readonly isRemote: boolean;
  /** It was sent before, and may have taken runs. */
  readonly isRepeated: boolean;
  /** Some of the jobs have terms, which are its last parameter. */
  readonly hasTerms: boolean;
}

const compiled = new Map<string, string>();

/** The races: SQLite has one writer, so of two claims the second sees the first's rows as running and fresh. */
export function claimStatement({ isRemote, isRepeated, hasTerms }: ClaimKindOf): string {
  const name = `${isRemote} ${isRepeated} ${hasTerms}`;
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const sql = claimSql(isRemote ? FITTING : TAKEN, {
    condition: isRepeated ? IS_FIRST : undefined,
    terms: TERMS_KEPT[hasTerms ? 'given' : 'none'],
  });
  compiled.set(name, sql);
  return sql;
}

function claimSql(
  taken: string,
  { condition, terms }: { readonly condition: string | undefined; readonly terms: typeof TERMS_KEPT.none },
): string {
  // Its time does not run before its first start, nor between a retry by hand and the next one.
  return `
update durably_runs set
  status = iif(${FAILS}, ${statusAfter('fail')}, ${statusAfter('claim')}),
  error = case
    when ${IS_OVERDUE} then ${OVERDUE_ERROR}
    when ${IS_LOST_FOR_GOOD} then 'worker lost ${MAX_LOST_WORKERS} times'
  end,
  error_detail = iif(${IS_OVERDUE}, ${OVERDUE_DETAIL}, null),
  completed_at = iif(${FAILS}, ${NOW_MS}, null),
  attempt = attempt + iif(${FAILS}, 0, iif(${IS_LOST}, 1, claim_kind = 'start')),
  claim_kind = iif(${IS_LOST}, 'takeover', claim_kind),
  lost_count = lost_count + (${IS_LOST}),
  fence = fence + 1,
  cancels_below = ${CANCELS_BELOW},
  append_count = 0,
  claim_token = ${CLAIM_TOKEN},
  heartbeat_at = ${NOW_MS},
  version = ${terms.version},
  timeout_ms = ${terms.timeoutMs},
  timeout = ${terms.timeout},
  deadline_at = coalesce(iif(started_at is null, null, deadline_at), ${NOW_MS} + ${terms.timeoutMs}),
  started_at = iif(${IS_OVERDUE}, started_at, coalesce(started_at, ${NOW_MS})),
  updated_at = ${NOW_MS}
where ${condition === undefined ? '' : `${condition} and `}seq in (${taken})
returning ${claimColumns('durably_runs', INLINE_BYTES)}`;
}

/**
 * Whether a claim that took runs, and fewer than it asked for, left some for their bytes. Asked right after it.
 * Its parameters are the first ones of the claim.
 */
export const LEFT_BEHIND = `
select 1 as more
where (
  select count(*) from durably_runs taken indexed by durably_runs_leases
  where taken.status = 'running' and taken.claim_token = ${CLAIM_TOKEN}
) between 1 and ${LIMIT} - 1 and exists (${candidates('1')})`;

/** Reads the runs of a claim whose answer was lost, by its token. */
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
    'priority',
    'version',
    'deadline_at',
    'timeout',
    'error_detail',
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

export const PAYLOADS =
  'select id, fence, payload from durably_runs where id in (select value from json_each(?))';
