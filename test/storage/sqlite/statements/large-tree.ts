import { sql } from 'kysely';
import type { Durably } from '../../../../src/index.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idle } from '../../../support/idle.ts';
import { echo } from '../../../support/jobs.ts';
import type { World } from '../../../support/world.ts';

export const CHILDREN = 5_000;

/**
 * A pending run with 5,000 runs below it: every second is over, and one of a hundred, over or not, has two pending ones
 * below it. The clock of its instance stands still.
 */
export async function largeTree(world: World, options: { readonly worker?: 'on-demand' } = {}) {
  const { durably } = await world.idle({ clock: new FakeClock(), ...options });
  const { id } = await durably.register({ echo }).echo.trigger(1);
  await durably.db.executeQuery(
    sql`
      with recursive n(i) as (select 0 union all select i + 1 from n where i < ${CHILDREN - 1})
      insert into durably_runs (id, job_name, payload, parent_run_id, status)
      select 'child ' || i, 'echo', '0', ${id}, iif(i % 2 = 0, 'pending', 'completed') from n
    `.compile(durably.db),
  );
  await durably.db.executeQuery(
    sql`
      insert into durably_runs (id, job_name, payload, parent_run_id)
      select g.value || ' of ' || c.id, 'echo', '0', c.id
      from durably_runs c, json_each('["first", "second"]') g
      where c.parent_run_id = ${id} and (c.seq % 100 = 0 or c.seq % 100 = 51)
    `.compile(durably.db),
  );
  return { durably, id };
}

export async function countByStatus(durably: Durably): Promise<Record<string, number>> {
  const rows = await durably.db
    .selectFrom('durably_runs')
    .select(({ fn }) => ['status', fn.countAll<number>().as('runs')])
    .groupBy('status')
    .execute();
  return Object.fromEntries(rows.map(({ status, runs }) => [status, Number(runs)]));
}

export async function countMarked(durably: Durably): Promise<number> {
  const marked = await durably.db
    .selectFrom('durably_runs')
    .select('id')
    .where('cancels_below', '>', 0)
    .execute();
  return marked.length;
}

/** Each minute a worker does what others have left. */
export async function rescue(world: World): Promise<Durably> {
  const clock = new FakeClock();
  const { durably } = await world.start({ clock, pollingInterval: 3_600_000 });
  await idle();
  clock.advance(60_000);
  for (let portion = 0; portion < 500 && (await countMarked(durably)) > 0; portion++) {
    clock.advance(10_000);
    await idle();
  }
  return durably;
}
