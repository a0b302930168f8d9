import { expect } from 'vitest';
import { contract } from '../../../support/contract.ts';
import { idle } from '../../../support/idle.ts';
import { CHILDREN, countByStatus, countMarked, largeTree, rescue } from './large-tree.ts';

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
