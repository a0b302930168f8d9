import { CompiledQuery, Kysely } from 'kysely';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { idle } from '../../../../support/idle.ts';
import { echo, job } from '../../../../support/jobs.ts';
import type { World } from '../../../../support/world.ts';
import { withoutChores } from '../counted.ts';

export const SORT = 'USE TEMP B-TREE FOR ORDER BY';

export interface Plan {
  readonly sql: string;
  readonly lines: readonly string[];
}

/**
 * @param db a connection past durably's: a write that was explained counts as under way until it is collected, and
 * keeps its connection from committing.
 */
export async function planOf(
  db: Kysely<unknown>,
  text: string,
  parameters: readonly unknown[],
): Promise<Plan> {
  const query = CompiledQuery.raw(`explain query plan ${text}`, [...parameters]);
  const { rows } = await db.executeQuery<{ detail: string }>(query);
  return { sql: text, lines: rows.map(({ detail }) => detail) };
}

/**
 * The lines of a plan that scan a table. Scans of parameters (`json_each`, and `entries` made from it), of rows that the
 * statement has made itself and of no table don't count.
 */
export function scansOf({ sql, lines }: Plan): string[] {
  const isOwn = (line: string) =>
    line.includes('VIRTUAL TABLE') ||
    line === 'SCAN CONSTANT ROW' ||
    OWN_ROWS.some(([scan, text]) => line === scan && sql.includes(text)) ||
    lines.includes(line.replace('SCAN', 'CO-ROUTINE'));
  return lines.filter((line) => line.startsWith('SCAN') && !isOwn(line));
}

const OWN_ROWS = [
  ['SCAN e', 'from entries e '],
  ['SCAN t', 'from tree t '],
  ['SCAN tree', 'with recursive tree(id)'],
  ['SCAN r', 'from claimed r '],
  ['SCAN w', ') as is_over'],
  ['SCAN a', 'from above a '],
  ['SCAN sizes', 'sizes as materialized'],
  ['SCAN b', 'from bounds b'],
  ['SCAN c', 'bounds(low, last, high)'],
  ['SCAN c', 'from counts c'],
  ['SCAN f', 'from few f'],
  ['SCAN a', 'from active a'],
  ['SCAN s', ') s group by s.job_name'],
  ['SCAN jobs', 'with recursive jobs(name)'],
  ['SCAN j', 'from jobs j '],
  // One row for each job.
  ['SCAN t', 'from durably_counts t'],
] as const;

export function temporariesOf({ lines }: Plan): string[] {
  return lines.filter((line) => line.includes('TEMP B-TREE') || line.includes('AUTOMATIC'));
}

export function searchesOf({ lines }: Plan): string[] {
  return lines.filter((line) => line.startsWith('SEARCH'));
}

/**
 * An idle instance, and the plans of the statements that a task sends.
 *
 * @param options.chores texts of statements that are left out. Default: those of {@link withoutChores}.
 */
export async function planned(
  world: World,
  { chores, maxConcurrentRuns = 1 }: { chores?: readonly string[]; maxConcurrentRuns?: number } = {},
) {
  const clock = new FakeClock();
  const { durably, statements } = await world.start({ clock, heartbeatInterval: 2_000, maxConcurrentRuns });
  const db = new Kysely<unknown>({ dialect: (await world.open()).dialect });
  const handles = durably.register({
    echo,
    stepped: job('stepped', async (step, input) => {
      await step.run('kept', () => step.log.info('line'));
      if (input === 'hang') await new Promise(() => undefined);
      if (input === 'fail') throw new Error('failed');
    }),
  });
  const during = async (task: () => unknown): Promise<Plan[]> => {
    await idle();
    const before = statements.length;
    await task();
    await idle();
    const made = withoutChores(statements.slice(before), chores);
    return await Promise.all(made.map((one) => planOf(db, one.sql, one.parameters)));
  };
  // Past the first look for runs to cancel, which no test here is about.
  await idle();
  clock.advance(2_000);
  await idle();
  return { durably, clock, handles, during };
}

/** Without what a claim sends, which has its own test. */
export function withoutClaims(plans: readonly Plan[]): Plan[] {
  return plans.filter(
    ({ sql }) =>
      !sql.includes('claim_token = ') &&
      !sql.includes('durably_runs_due') &&
      !sql.includes('durably_schedules_due'),
  );
}
