import { RUN_TRANSITIONS } from '../../../core/run.ts';

type Transition = keyof typeof RUN_TRANSITIONS;

/** SQL: whether a run's status allows the transition. */
export function isFrom(transition: Exclude<Transition, 'trigger'>, table?: string): string {
  const column = table === undefined ? 'status' : `${table}.status`;
  const [only, ...others] = RUN_TRANSITIONS[transition].from.map((status) => `'${status}'`);
  // SQLite compares this text with the conditions of the partial indexes in the schema.
  return others.length === 0 ? `${column} = ${only}` : `${column} in (${[only, ...others].join(', ')})`;
}

/** SQL: the status to which the transition leads. */
export function statusAfter(transition: Exclude<Transition, 'delete'>): string {
  return `'${RUN_TRANSITIONS[transition].to}'`;
}
