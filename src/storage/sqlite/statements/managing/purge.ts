import type { Call } from '../../../../core/call.ts';
import type { Purged } from '../../../../core/managing/managing-store.ts';
import type { OldAge } from '../../../../core/managing/retention.ts';
import type { BulkRun } from '../../../../core/managing/run-bulk.ts';
import { WEBHOOK_JOB } from '../../../../core/webhooks/webhooks.ts';
import type { Connection } from '../../connection/connection.ts';
import { NOW_MS } from '../../sql.ts';
import { toCancelledRun } from '../commands.ts';
import { readCurrent } from '../current-reads.ts';
import { firstPortion, LEAVES_MORE, sizeOfRun } from '../deletions.ts';
import { portionWrites } from '../portion-writes.ts';
import { isFrom, mayCutOff } from '../transitions.ts';

/** The most runs that a portion is made of, because other writes wait meanwhile. Each row of a run is in many indexes. */
const PORTION_RUNS = 25;

/**
 * The runs that are old enough, of each status the oldest first. A run is kept while one that it started is active,
 * or is yet to be cancelled. ?1 the ages.
 */
const OLD = `from json_each(?1) a cross join durably_runs r indexed by durably_runs_by_end
  where r.status = a.value->>'status' and r.completed_at is not null
    and r.completed_at <= ${NOW_MS} - (a.value->>'olderThanMs')
    and r.cancels_below = 0 and not ${mayCutOff('r')}
    and not exists (
      select 1 from durably_runs c indexed by durably_runs_by_parent
      where c.parent_run_id = r.id and ${isFrom('cancel', '+c')}
    )`;

/** A portion of them, with all that belongs to them. ?2 the most runs. */
const PURGE = `
with sizes as materialized (
  select r.id as run_id, ${sizeOfRun('r.id')} + min(octet_length(r.payload) + coalesce(octet_length(r.output), 0), 1 << 30) as size
  ${OLD} limit ?2
)
delete from durably_runs where id in (${firstPortion})
returning id, job_name, ${LEAVES_MORE} as leaves_more`;

const purges = portionWrites({ name: 'purge', rows: PORTION_RUNS });

/** Deletes a portion of the old runs. If it is executed twice, it deletes two portions. */
export async function purgeRuns(
  connection: Connection,
  { ages, limit }: { readonly ages: readonly OldAge[]; readonly limit: number },
  { deadlineMs = connection.callerDeadline() }: Call = {},
): Promise<Purged> {
  const parameters = [JSON.stringify(ages), Math.min(limit, PORTION_RUNS)];
  const rows = await connection.lane.submit(purges, { sql: PURGE, parameters }, deadlineMs);
  return { runs: rows.map(toCancelledRun), leavesMore: rows.some((row) => row.leaves_more === 1) };
}

const HAS_OLD = `select 1 as one ${OLD} limit 1`;

/** Whether any run is old enough. */
export async function hasOldRuns(
  connection: Connection,
  ages: readonly OldAge[],
  { deadlineMs = connection.callerDeadline() }: Call = {},
): Promise<boolean> {
  const statement = { sql: HAS_OLD, parameters: [JSON.stringify(ages)], deadlineMs };
  return (await readCurrent<{ one: number }>(connection, statement)).length > 0;
}

/** How long deliveries of webhooks are kept after their end. */
const DELIVERIES_KEPT_MS = 14 * 24 * 60 * 60 * 1000;

const PURGE_DELIVERIES = `
delete from durably_quick_deletions where id in (
  select r.id from durably_runs r indexed by durably_runs_delivered
  where r.job_name = '${WEBHOOK_JOB}' and r.completed_at is not null
    and r.completed_at <= ${NOW_MS} - ${DELIVERIES_KEPT_MS}
  order by r.completed_at limit ${PORTION_RUNS}
)
returning id, job_name`;

/** Needs the optional part `webhooks` of the schema. If it is executed twice, it deletes two portions. */
export async function purgeDeliveries(connection: Connection): Promise<readonly BulkRun[]> {
  const statement = { sql: PURGE_DELIVERIES, parameters: [] };
  const rows = await connection.lane.submit(purges, statement, connection.callerDeadline());
  return rows.map(toCancelledRun);
}
