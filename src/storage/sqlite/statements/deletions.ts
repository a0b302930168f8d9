import type { Connection } from '../connection/connection.ts';
import { NOW_MS } from '../sql.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What one statement deletes at most; the triggers of the migrations say the same of a run's rows. */
const PORTION_ROWS = 500;
const PORTION_BYTES = 1024 * 1024;

/** Whether more is stored of the run `id` than goes with it: asked before its triggers have removed anything. */
export const LEAVES_MORE = `(
  select count(*) > ${PORTION_ROWS} or coalesce(sum(p.bytes), 0) > ${PORTION_BYTES} from (
    select coalesce(octet_length(j.data), 0) + coalesce(octet_length(j.message), 0)
      + coalesce(octet_length(j.step_name), 0) as bytes
    from durably_journal j indexed by durably_journal_by_run
    where j.run_id = id limit ${PORTION_ROWS + 1}
  ) p
)`;

/** Of a row `j` of the journal: whether a deleted run left it over. */
export const LEFT_OVER = `exists (
  select 1 from durably_deletions d where d.run_id = j.run_id and d.sequence > j.sequence
)`;

/** SQL of the sequence up to which the journal's rows of that run are left over, 0 for none. */
export function deletedUpTo(runId: string): string {
  return `coalesce((select d.sequence - 1 from durably_deletions d where d.run_id = ${runId}), 0)`;
}

/** SQL of that run's id, as long as there is such a run: what a deleted one left over has none. */
export function existingRun(runId: string): string {
  return `(select existing.id from durably_runs existing where existing.id = ${runId})`;
}

const DELETE_PORTION = `
update durably_deletions set portions = portions + 1
where run_id = (select run_id from durably_deletions where run_id > '' order by run_id limit 1)
returning run_id`;

/** Removes a portion of what deleted runs have left over; false if nothing was. Executed twice it removes another. */
export async function deletePortion(connection: Connection): Promise<boolean> {
  return (await connection.execute({ sql: DELETE_PORTION, parameters: [] })).length > 0;
}

/**
 * Times go by the database's clock, which may have been set back since: what
 * was stored before a row that is too old is too old, whatever its own time.
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

/** A deleted run's `run:delete` row stays for a day, so that lists learn of it. False if none was older. */
export async function purgePortion(connection: Connection): Promise<boolean> {
  const purged = await connection.execute({ sql: PURGE_PORTION, parameters: [DAY_MS] });
  return purged.length >= PORTION_ROWS;
}
