import { RUN_TRANSITIONS } from '../../../core/run.ts';

type Transition = keyof typeof RUN_TRANSITIONS;

/** SQL: whether a run's status allows the transition. */
export function isFrom(transition: Exclude<Transition, 'trigger'>, table?: string): string {
  const column = table === undefined ? 'status' : `${table}.status`;
  const [only, ...others] = RUN_TRANSITIONS[transition].from.map((status) => `'${status}'`);
  // SQLite compares this text with the conditions of the partial indexes in the schema.
  return others.length === 0 ? `${column} = ${only}` : `${column} in (${[only, ...others].join(', ')})`;
}

/**
 * SQL: whether runs below the run are yet to be cancelled. Until then it is not retried or deleted: with it, the mark would be
 * lost, or would hit the runs that it starts afterwards.
 */
export function leavesBelow(table: string): string {
  return `(${table}.cancels_below > 0 and exists (
    select 1 from durably_runs below indexed by durably_runs_by_parent
    where below.parent_run_id = ${table}.id and below.seq >= ${table}.cancels_below
  ))`;
}

/** SQL: the status to which the transition leads. */
export function statusAfter(transition: Exclude<Transition, 'delete'>): string {
  return `'${RUN_TRANSITIONS[transition].to}'`;
}

/** SQL: whether any run is marked: runs below it are yet to be cancelled. */
const ANY_IS_MARKED = `exists (
  select 1 from durably_runs marked indexed by durably_runs_cancelling where marked.cancels_below > 0
)`;

/**
 * SQL: a common table expression `above`: of each run in `runs`, itself and the runs above it, as `root` and `id`. Empty while
 * no run is marked. A cancellation that is under way above a run may yet visit it: if the run was deleted before that, the runs
 * below it would not be found, and if it was retried, it would be cancelled after all.
 *
 * @param runs a query of the column `id`
 */
export function runsAbove(runs: string): string {
  return `recursive above(root, id, parent_run_id) as (
  select r.id, r.id, r.parent_run_id from durably_runs r where r.id in (${runs}) and ${ANY_IS_MARKED}
  union all
  select a.root, p.id, p.parent_run_id from above a cross join durably_runs p where p.id = a.parent_run_id
)`;
}

/** SQL, after {@link runsAbove}: the roots that a cancellation may yet visit. */
export const TO_BE_VISITED = `
select a.root from above a cross join durably_runs marked
where marked.id = a.id and a.id <> a.root and marked.cancels_below > 0`;

/** SQL: whether the run is one at which a cancellation above it could be cut off: it started others, and any run is marked. */
export function mayCutOff(table: string): string {
  return `(${table}.parent_run_id is not null and ${ANY_IS_MARKED} and exists (
    select 1 from durably_runs below indexed by durably_runs_by_parent where below.parent_run_id = ${table}.id
  ))`;
}
