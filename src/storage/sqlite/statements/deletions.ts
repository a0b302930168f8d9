import type { Call } from '../../../core/call.ts';
import type { Sql, WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import { NOW_MS } from '../sql.ts';
import { PLACES } from './places.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * The most rows that one statement deletes. The triggers of the schema use the same numbers for a
 * run's rows.
 */
const PORTION_ROWS = 500;
const PORTION_BYTES = 1024 * 1024;

/**
 * SQL: whether the run `id` has more rows than its deletion removes at once. It is evaluated before
 * the triggers.
 */
export const LEAVES_MORE = `(
  select count(*) > ${PORTION_ROWS} or coalesce(sum(p.bytes), 0) > ${PORTION_BYTES} from (
    select coalesce(octet_length(j.data), 0) + coalesce(octet_length(j.message), 0)
      + coalesce(octet_length(j.step_name), 0) as bytes
    from durably_journal j indexed by durably_journal_by_run
    where j.run_id = id limit ${PORTION_ROWS + 1}
  ) p
)`;

/** SQL: how many rows the journal of a run has, times 2^40, and how many bytes are in them. Both stop at a portion. */
export function sizeOfRun(runId: string): string {
  return `(
  select (count(*) << 40) + coalesce(sum(min(p.bytes, ${PORTION_BYTES})), 0) from (
    select coalesce(octet_length(j.data), 0) + coalesce(octet_length(j.message), 0)
      + coalesce(octet_length(j.step_name), 0) as bytes
    from durably_journal j indexed by durably_journal_by_run
    where j.run_id = ${runId} limit ${PORTION_ROWS + 1}
  ) p
)`;
}

/** SQL: whether the journal row `j` is left over from a deleted run. */
export const LEFT_OVER = `exists (
  select 1 from durably_deletions d where d.run_id = j.run_id and d.sequence > j.sequence
)`;

/** SQL: the sequence up to which that run's journal rows are left over from a deletion. 0 if none are. */
export function deletedUpTo(runId: string): string {
  return `coalesce((select d.sequence - 1 from durably_deletions d where d.run_id = ${runId}), 0)`;
}

/** SQL: that run's id if the run exists. Rows of a deleted run are not found by it. */
export function existingRun(runId: string): string {
  return `(select existing.id from durably_runs existing where existing.id = ${runId})`;
}

/** Each member removes a portion and returns the number of rows. */
const portions: WriteKind<Sql, number> = {
  name: 'deletion',
  place: PLACES.deletion,
  sizeOf: () => ({ rows: PORTION_ROWS, chars: 0 }),
  compile: (members) => ({
    statements: members,
    decode: (answers) => answers.map((rows) => rows.length),
  }),
};

/** How many deleted runs the smallest portions are made of. */
const PORTION_RUNS = 50;

/** SQL: the first of the runs in `sizes` whose rows together are about one portion, and at least one run. */
export const firstPortion = `
  select s.run_id from (
    select n.run_id, n.rows, n.bytes, sum(n.rows) over part as total_rows, sum(n.bytes) over part as total_bytes
    from (select run_id, size >> 40 as rows, size & 0xffffffffff as bytes from sizes) n
    window part as (rows unbounded preceding)
  ) s where s.total_rows - s.rows < ${PORTION_ROWS} and s.total_bytes - s.bytes < ${PORTION_BYTES}`;

const DELETE_PORTION = `
with sizes as materialized (
  select d.run_id, ${sizeOfRun('d.run_id')} as size
  from (select run_id from durably_deletions where run_id > '' order by run_id limit ${PORTION_RUNS}) d
)
update durably_deletions set portions = portions + 1 where run_id in (${firstPortion})
returning run_id`;

/**
 * Removes a portion of the rows that deleted runs left over. False if there were none. If it is
 * executed twice, it removes two portions.
 */
export async function deletePortion(
  connection: Connection,
  { deadlineMs = connection.callerDeadline() }: Call = {},
): Promise<boolean> {
  return (await connection.lane.submit(portions, { sql: DELETE_PORTION, parameters: [] }, deadlineMs)) > 0;
}

/**
 * The database's clock may have been set back. So if a row is too old, every row that was stored
 * before it counts as too old, whatever its own time.
 */
const PURGE_PORTION = `
delete from durably_journal where sequence in (
  select sequence from (
    select sequence from durably_journal indexed by durably_journal_deletions
    where type = 'run:delete' and created_at < ${NOW_MS} - ?1
    order by created_at limit ${PORTION_ROWS}
  )
  union all
  select sequence from (
    select sequence from durably_journal indexed by durably_journal_deletions
    where type = 'run:delete' and created_at > ${NOW_MS} + ?1 and sequence < (
      select sequence from durably_journal indexed by durably_journal_deletions
      where type = 'run:delete' and created_at < ${NOW_MS} - ?1
      order by created_at desc limit 1
    )
    order by created_at desc limit ${PORTION_ROWS}
  )
)
returning sequence`;

/**
 * Removes old `run:delete` rows. They stay for a day, so that streams of lists learn of the
 * deletion. False if none was older.
 */
export async function purgePortion(connection: Connection): Promise<boolean> {
  const purged = await connection.lane.submit(
    portions,
    { sql: PURGE_PORTION, parameters: [DAY_MS] },
    connection.callerDeadline(),
  );
  return purged >= PORTION_ROWS;
}
