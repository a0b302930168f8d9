import { sql } from 'kysely';
import { expect } from 'vitest';
import type { Durably } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idle } from '../../../support/idle.ts';
import { echo } from '../../../support/jobs.ts';
import type { World } from '../../../support/world.ts';

const CHILDREN = 5_000;

/**
 * A pending run with 5,000 runs below it: every second is over, and one of a hundred, over or not, has two pending ones
 * below it. The clock of its instance stands still.
 */
async function largeTree(world: World) {
  const { durably } = await world.idle({ clock: new FakeClock() });
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

async function countByStatus(durably: Durably): Promise<Record<string, number>> {
  const rows = await durably.db
    .selectFrom('durably_runs')
    .select(({ fn }) => ['status', fn.countAll<number>().as('runs')])
    .groupBy('status')
    .execute();
  return Object.fromEntries(rows.map(({ status, runs }) => [status, Number(runs)]));
}

async function countMarked(durably: Durably): Promise<number> {
  const marked = await durably.db
    .selectFrom('durably_runs')
    .select('id')
    .where('cancels_below', '>', 0)
    .execute();
  return marked.length;
}

/** Each minute a worker does what others have left. */
async function rescue(world: World): Promise<Durably> {
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

contract('cancelling a run with thousands of runs below it', (test) => {
  test('cancels a few with it, and the others in portions that another process does if this one vanishes', async ({
    world,
  }) => {
    const { durably, id } = await largeTree(world);
    const before = await countByStatus(durably);
    expect(before).toEqual({ pending: CHILDREN / 2 + 201, completed: CHILDREN / 2 });
    await durably.cancel(id);
    await idle();
    // The first of the portions follows at once. Then its instance stands still.
    const meanwhile = await countByStatus(durably);
    expect(meanwhile.cancelled).toBeGreaterThan(50);
    expect(meanwhile.cancelled).toBeLessThanOrEqual(400);
    expect((await durably.getRun(id))?.status).toBe('cancelled');
    const other = await rescue(world);
    expect(await countByStatus(other)).toEqual({
      cancelled: before.pending,
      completed: CHILDREN / 2,
    });
    expect(await countMarked(other)).toBe(0);
    const events = await other.db
      .selectFrom('durably_journal')
      .select(({ fn }) => [
        fn.countAll<number>().as('rows'),
        fn.count<number>('run_id').distinct().as('runs'),
      ])
      .where('type', '=', 'run:cancel')
      .executeTakeFirstOrThrow();
    expect([Number(events.rows), Number(events.runs)]).toEqual([before.pending, before.pending]);
  });
});
