import { DatabaseUnavailableError } from '../core/errors.ts';
import { MAX_LOST_WORKERS, type RunStatus, SUSPECT_AFTER_LOST_WORKERS } from '../core/run.ts';
import type { Claim, ClaimRequest } from '../core/store.ts';
import type { Connection } from './connection.ts';
import { NOW_MS } from './sql.ts';

/**
 * The runs that are running, as far as is stored, while nobody renews their
 * leases: the heartbeat is too old, or so far in the future that the database's
 * clock was set back since the worker vanished. Each is a range of one index.
 */
const STALE = `
select seq from durably_runs indexed by durably_runs_leases
where status = 'running' and heartbeat_at < ${NOW_MS} - ?4
union all
select seq from durably_runs indexed by durably_runs_leases
where status = 'running' and heartbeat_at > ${NOW_MS} + ?4`;

/**
 * Once the payloads of the runs that a claim takes reach this size, it takes no
 * more: a server refuses to answer beyond 10 MB, with the claim already made.
 */
const PAYLOAD_BYTES = 2 * 1024 * 1024;

/**
 * Takes the oldest claimable runs, in one statement that is also the recovery
 * of runs whose owner vanished. Parameters: ?1 the job names (a JSON array),
 * ?2 how many runs, ?3 the claim token, ?4 the stale threshold in ms, ?5 whether
 * a suspect may be among them.
 *
 * Claimable are, of the given jobs only,
 * - a pending run without a concurrency key;
 * - a pending run whose turn it is at its key: nothing with that key runs, and
 *   none of these jobs has an older one waiting. `key_turn` says so within one
 *   job; between jobs it is asked here, one index probe for each;
 * - a running run that is stale (see above). Its attempt rises like every
 *   claim's, which fences out the worker that lost it. One that lost its
 *   worker too often is failed instead, and of those that lost it almost as
 *   often the oldest is taken, or none: one of them may be what ends the
 *   workers, and the others must not be with it each time.
 *
 * The races: SQLite has one writer, so of two claims the second sees the
 * first's rows as running and fresh.
 */
const CLAIM = `
update durably_runs set
  status = case when status = 'running' and lost_count + 1 >= ${MAX_LOST_WORKERS} then 'failed' else 'running' end,
  error = case when status = 'running' and lost_count + 1 >= ${MAX_LOST_WORKERS}
    then 'worker lost ${MAX_LOST_WORKERS} times' end,
  completed_at = case when status = 'running' and lost_count + 1 >= ${MAX_LOST_WORKERS} then ${NOW_MS} end,
  lost_count = lost_count + (status = 'running'),
  taken_over = (status = 'running'),
  attempt = attempt + 1,
  append_count = 0,
  claim_token = ?3,
  heartbeat_at = ${NOW_MS},
  started_at = coalesce(started_at, ${NOW_MS}),
  updated_at = ${NOW_MS}
where seq in (
  select seq from (
  select seq, bytes, sum(bytes) over (order by seq) as total from (
    select r.seq, octet_length(r.payload) as bytes
    from json_each(?1) job cross join durably_runs r
    where r.seq in (
      select p.seq from durably_runs p indexed by durably_runs_claimable
      where p.status = 'pending' and p.key_turn = 1 and p.job_name = job.value
        and (p.lost_count < ${SUSPECT_AFTER_LOST_WORKERS} or ?5)
        and (p.concurrency_key is null or (
          not exists (
            select 1 from durably_runs o
            where o.status = 'running' and o.concurrency_key = p.concurrency_key
          )
          and not exists (
            select 1 from json_each(?1) other
            where other.value <> p.job_name and exists (
              select 1 from durably_runs o
              where o.status = 'pending' and o.concurrency_key = p.concurrency_key
                and o.job_name = other.value and o.seq < p.seq
            )
          )
        ))
      order by p.seq
      limit ?2
    )
    union all
    select s.seq, octet_length(s.payload) from durably_runs s
    where s.seq in (${STALE})
      and s.job_name in (select value from json_each(?1))
      and (s.lost_count + 1 < ${SUSPECT_AFTER_LOST_WORKERS} or ?5 and s.seq = (
        select min(o.seq) from durably_runs o
        where o.seq in (${STALE})
          and o.lost_count + 1 >= ${SUSPECT_AFTER_LOST_WORKERS}
          and o.job_name in (select value from json_each(?1))
      ))
  )
  order by seq
  limit ?2
  ) where total - bytes < ${PAYLOAD_BYTES}
)
returning ${claimColumns('durably_runs')}`;

/** Asks for the runs of a claim whose answer was lost: they bear its token. ?1 the job names, ?2 the token. */
const CLAIMED = `
select ${claimColumns('c')} from durably_runs c indexed by durably_runs_leases
where c.status = 'running' and c.claim_token = ?2`;

function claimColumns(table: string): string {
  const columns = [
    'id',
    'job_name',
    'payload',
    'status',
    'error',
    'attempt',
    'step_count',
    'lost_count',
    'taken_over',
    'concurrency_key',
  ];
  const more = `exists (
  select 1 from json_each(?1) job where exists (
    select 1 from durably_runs p
    where p.status = 'pending' and p.key_turn = 1 and p.job_name = job.value
  )
) as more`;
  const bytes = `octet_length(${table}.payload) as payload_bytes`;
  return [...columns.map((column) => `${table}.${column}`), bytes, more].join(', ');
}

interface ClaimRow {
  readonly id: string;
  readonly job_name: string;
  readonly payload: string;
  readonly payload_bytes: number;
  readonly status: RunStatus;
  readonly error: string | null;
  readonly attempt: number;
  readonly step_count: number;
  readonly lost_count: number;
  readonly taken_over: number;
  readonly concurrency_key: string | null;
  /** Whether pending runs were left when this row was updated: the last row's answer holds. */
  readonly more: number;
}

/** How often a claim is sent again that was lost before it was executed, by all that is known. */
const MAX_REPETITIONS = 3;

export async function claim(connection: Connection, request: ClaimRequest): Promise<Claim> {
  const jobNames = JSON.stringify(request.jobNames);
  const { limit, claimToken, staleThresholdMs, takesSuspect } = request;
  const claimed = { sql: CLAIMED, parameters: [jobNames, claimToken] };
  const earlier = request.isAskedAgain ? await connection.execute<ClaimRow>(claimed) : [];
  if (earlier.length > 0) return toClaim(earlier);
  for (let repetitions = 0; ; repetitions++) {
    let sendings = 0;
    const rows = await connection.execute<ClaimRow>({
      sql: CLAIM,
      parameters: [jobNames, limit, claimToken, staleThresholdMs, takesSuspect ? 1 : 0],
      // A claim must not be sent twice: the second would take other runs.
      ifAnswerLost: claimed,
      onSend: () => {
        sendings++;
      },
    });
    if (sendings === 1 || rows.length > 0) return toClaim(rows);
    if (repetitions === MAX_REPETITIONS) {
      throw new DatabaseUnavailableError('The database answers questions, but no claims');
    }
  }
}

function toClaim(rows: readonly ClaimRow[]): Claim {
  return {
    runs: rows.filter((row) => row.status === 'running').map(toClaimedRun),
    lost: rows
      .filter((row) => row.status === 'failed')
      .map((row) => ({
        runId: row.id,
        jobName: row.job_name,
        attempt: row.attempt,
        error: row.error ?? '',
      })),
    more: rows.length > 0 && rows.every((row) => row.more === 1),
    isCut: rows.reduce((sum, row) => sum + row.payload_bytes, 0) >= PAYLOAD_BYTES,
  };
}

function toClaimedRun(row: ClaimRow) {
  return {
    runId: row.id,
    jobName: row.job_name,
    payload: row.payload,
    attempt: row.attempt,
    concurrencyKey: row.concurrency_key,
    stepCount: row.step_count,
    lostCount: row.lost_count,
    isTakeover: row.taken_over === 1,
  };
}
