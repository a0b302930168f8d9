import { MAX_LOST_WORKERS } from '../../../../core/run.ts';
import { NOW_MS } from '../../sql.ts';
import { isFrom, statusAfter } from '../transitions.ts';
import { CANDIDATES, CLAIM_TOKEN, JOB_NAMES, LIMIT } from './candidates-sql.ts';
import { CANCELS_BELOW, IS_OVERDUE, OVERDUE_DETAIL, OVERDUE_ERROR } from './due-sql.ts';
import { limitColumns, limitedCandidates } from './limits-sql.ts';

/**
 * A claim takes the first claimable runs (higher priorities first, then the order of insertion), in one
 * statement that is also the recovery of runs whose worker vanished. Its other parameters: those of its candidates.
 */
const INLINE_BYTES = '?6';
/** What runs keep of their jobs from their first start on: a JSON array of [name, version, timeout in ms, its text]. */
const TERMS = '?7';

/** The most bytes of all payloads that come with a claim's answer. */
export const ANSWER_BYTES = 2 * 1024 * 1024;

/** The most bytes of all payloads of one claim over a network. A single run may have a larger one. */
export const CLAIM_BYTES = 4 * 1024 * 1024;

/**
 * The first candidates, as many as their payloads fit into {@link CLAIM_BYTES}, and at least one.
 * Over a network each portion of payloads takes a request, and leases grow stale meanwhile.
 */
const fitting = (taken: string) => `
select t.seq from (
  select c.seq, c.bytes, sum(c.bytes) over (order by c.priority desc, c.seq) as total from (
    select r.seq, r.priority, octet_length(r.payload) as bytes from durably_runs r where r.seq in (${taken})
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
  /** Some of the jobs have terms. */
  readonly hasTerms: boolean;
  /** It keeps the limits of jobs. */
  readonly hasLimits: boolean;
  /** Some of the jobs have throttles. */
  readonly hasThrottles: boolean;
}

const compiled = new Map<string, string>();

/** The races: SQLite has one writer, so of two claims the second sees the first's rows as running and fresh. */
export function claimStatement(kind: ClaimKindOf): string {
  const { isRemote, isRepeated, hasTerms, hasLimits, hasThrottles } = kind;
  const name = `${isRemote} ${isRepeated} ${hasTerms} ${hasLimits} ${hasThrottles}`;
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const { ctes, select } = hasLimits ? limitedCandidates({ hasThrottles }) : CANDIDATES;
  const all = select(LIMIT);
  // The payloads of all candidates are read in portions. Over a network only few are taken at once.
  const sql = claimSql(isRemote ? fitting(all) : all, {
    ctes,
    condition: isRepeated ? IS_FIRST : undefined,
    terms: TERMS_KEPT[hasTerms ? 'given' : 'none'],
    limits: hasLimits ? limitColumns({ hasThrottles }, { isLost: IS_LOST, fails: FAILS }) : '',
  });
  compiled.set(name, sql);
  return sql;
}

function claimSql(
  taken: string,
  {
    ctes,
    condition,
    terms,
    limits,
  }: Record<'ctes' | 'limits', string> & {
    readonly condition: string | undefined;
    readonly terms: typeof TERMS_KEPT.none;
  },
): string {
  // Its time does not run before its first start, nor between a retry by hand and the next one.
  return `${ctes}
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
  heartbeat_at = ${NOW_MS},${limits}
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
 * Whether a claim left runs behind because their payloads were too large. It is asked right after a claim that took fewer
 * runs than it asked for. Its parameters are the first ones of the claim.
 */
export const LEFT_BEHIND = `
select 1 as more
where (
  select count(*) from durably_runs taken indexed by durably_runs_leases
  where taken.status = 'running' and taken.claim_token = ${CLAIM_TOKEN}
) between 1 and ${LIMIT} - 1 and exists (${CANDIDATES.select('1')})`;

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
    'plugin_data',
    'created_at',
    'due_since',
    'started_at',
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
