import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { RunQuery } from '../../../../core/lists/run-query.ts';
import { WEBHOOK_JOB } from '../../../../core/webhooks/webhooks.ts';

// Runs are listed by their places, and later runs have later times, except where the database's clock was set back. So the
// first run after a time bounds the places of all others, unless a step of the clock (`durably_clock_steps`) says that an
// earlier place may have a later time. Then there is no bound, and each run's own time decides.

type Created = Pick<RunQuery, 'createdAfter' | 'createdBefore'>;
type Bounded = Pick<RunQuery, 'createdAfter' | 'createdBefore' | 'before'>;

const lowest = (after: number) => sql`(
  select iif(
    exists (select 1 from durably_clock_steps c where c.run_seq <= a.seq and c.from_ms > ${after}), 0, a.seq
  ) from (
    select seq from durably_runs indexed by durably_runs_by_created
    where created_at > ${after} order by created_at, seq limit 1
  ) a
)`;

const highest = (before: number) => sql`(
  select iif(
    exists (select 1 from durably_clock_steps c where c.run_seq > a.seq and c.to_ms < ${before}),
    ${Number.MAX_SAFE_INTEGER}, a.seq
  ) from (
    select seq from durably_runs indexed by durably_runs_by_created
    where created_at < ${before} order by created_at desc, seq desc limit 1
  ) a
)`;

/**
 * SQL before a list: the bounds of its places. A bound is null if no run was created on that side of the time. SQLite seeks by
 * one condition only for each end of a list, so that the upper bound includes the cursor.
 */
export function withBounds({ createdAfter, createdBefore, before }: Bounded): RawBuilder<unknown> {
  if (createdAfter === null && createdBefore === null) return sql``;
  return sql`with bounds(low, last, high) as materialized (
    select c.low, c.last, ${before === null ? sql`c.last` : sql`min(c.last, ${before - 1})`} from (select
      ${createdAfter === null ? sql`null` : lowest(createdAfter)} as low,
      ${createdBefore === null ? sql`null` : highest(createdBefore)} as last
    ) c
  ) `;
}

/** SQL: whether a place is within the bounds and before the cursor. */
export function isWithin(query: Bounded, place: RawBuilder<unknown>): RawBuilder<SqlBool> {
  return sql<SqlBool>`${isAbove(query, place)} and ${isBelow(query, place)}`;
}

function isAbove({ createdAfter }: Bounded, place: RawBuilder<unknown>) {
  // The other one is always true. It makes SQLite read by the place.
  return createdAfter === null ? sql`${place} > 0` : sql`${place} >= (select b.low from bounds b)`;
}

function isBelow({ createdBefore, before }: Bounded, place: RawBuilder<unknown>) {
  if (createdBefore !== null) {
    return sql`${place} <= (select ${sql.raw(before === null ? 'b.last' : 'b.high')} from bounds b)`;
  }
  return before === null ? sql`true` : sql`${place} < ${before}`;
}

/** SQL: whether a run was created in time. The plus keeps SQLite from reading by the time instead of the place. */
export function wasCreated(
  { createdAfter, createdBefore }: Created,
  createdAt: RawBuilder<unknown>,
): RawBuilder<SqlBool>[] {
  return [
    ...(createdAfter === null ? [] : [sql<SqlBool>`+${createdAt} > ${createdAfter}`]),
    ...(createdBefore === null ? [] : [sql<SqlBool>`+${createdAt} < ${createdBefore}`]),
  ];
}

/** SQL: whether a list that names no jobs has the runs of this one. */
export function isShown(jobName: RawBuilder<unknown>): RawBuilder<SqlBool> {
  return sql<SqlBool>`+${jobName} <> ${sql.lit(WEBHOOK_JOB)}`;
}
