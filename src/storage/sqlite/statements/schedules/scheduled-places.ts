import { type RawBuilder, sql } from 'kysely';
import type { RunQuery } from '../../../../core/lists/run-query.ts';
import { RUN_STATUSES } from '../../../../core/run.ts';

/**
 * The places of the runs that a schedule has made. Its index is in order within one status, so each status is an arm.
 * Every other condition is tried on each run.
 */
export function scheduledPlaces(
  { jobNames, statuses, limit, offset }: RunQuery,
  scheduleId: string,
  conditions: readonly RawBuilder<unknown>[],
): RawBuilder<unknown> {
  const all = [sql`schedule_id = ${scheduleId}`, ...conditions];
  if (jobNames.length > 0) all.push(sql`job_name in (${sql.join(jobNames)})`);
  const arms = (statuses.length === 0 ? RUN_STATUSES : statuses).map(
    (status) =>
      sql`select seq from durably_runs indexed by durably_runs_by_schedule
        where ${sql.join([...all, sql`status = ${status}`], sql` and `)}`,
  );
  return sql`(${sql.join(arms, sql` union all `)} order by seq desc limit ${limit} offset ${offset})`;
}
