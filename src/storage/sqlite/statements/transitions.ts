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
