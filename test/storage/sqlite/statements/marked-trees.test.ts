import { sql } from 'kysely';
import { expect } from 'vitest';
import type { Durably } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { rejectionOf } from '../../../support/runs.ts';
import { CHILDREN, countByStatus, countMarked, largeTree, rescue } from './large-tree.ts';

const ACTIVE = CHILDREN / 2 + 200;

/** Stores a pending run that the run has started just now. */
async function addChild(durably: Durably, parentRunId: string): Promise<string> {
  await durably.db
    .insertInto('durably_runs')
    .values({ id: 'new child', job_name: 'echo', payload: '0', parent_run_id: parentRunId })
    .execute();
  return 'new child';
}

/** Columns of a run that this run has started. */
function below(parentRunId: string | null) {
  return { job_name: 'echo', payload: '0', parent_run_id: parentRunId, cancels_below: 0 };
}

/** Stores pending runs with a label, each with a pending run below it. */
async function addParents(durably: Durably, count: number): Promise<void> {
  await durably.db.executeQuery(
    sql`
      with recursive n(i) as (select 0 union all select i + 1 from n where i < ${count - 1})
      insert into durably_runs (id, job_name, payload, labels) select 'parent ' || i, 'echo', '0', '{"of":"many"}' from n
    `.compile(durably.db),
  );
  await durably.db.executeQuery(
    sql`
      insert into durably_runs (id, job_name, payload, parent_run_id)
      select 'below ' || id, 'echo', '0', id from durably_runs where id like 'parent %'
    `.compile(durably.db),
  );
}

contract('a cancelled run with runs below that are yet to be cancelled', (test) => {
  test('is deleted when they are cancelled', async ({ world }) => {
    const { durably, id } = await largeTree(world);
    await durably.cancel(id);
    await durably.deleteRun(id);
    expect(await durably.getRun(id)).toBeNull();
    const other = await rescue(world);
    expect(await countByStatus(other)).toEqual({ cancelled: ACTIVE, completed: CHILDREN / 2 });
  });

  test('is retried when they are cancelled, and keeps the runs that it starts then', async ({ world }) => {
    const { durably, id } = await largeTree(world);
    await durably.cancel(id);
    await durably.retry(id);
    const child = await addChild(durably, id);
    const other = await rescue(world);
    expect((await other.getRun(child))?.status).not.toBe('cancelled');
    const { cancelled, completed = 0, pending = 0 } = await countByStatus(other);
    expect([cancelled, completed + pending]).toEqual([ACTIVE, CHILDREN / 2 + 2]);
  });

  test('is not retried while they are more than a call on demand can cancel', async ({ world }) => {
    const { durably, id } = await largeTree(world, { worker: 'on-demand' });
    await durably.cancel(id);
    const { name, message } = await rejectionOf(durably.retry(id));
    expect([name, message]).toEqual([
      'ConflictError',
      'Cannot retry a run while the runs below it are being cancelled: try again',
    ]);
    expect((await durably.getRun(id))?.status).toBe('cancelled');
    await durably.retry(id);
    expect((await durably.getRun(id))?.status).toBe('pending');
  });

  test('is left alone by commands for many, which say that there is more', async ({ world }) => {
    const { durably, id } = await largeTree(world, { worker: 'on-demand' });
    await durably.cancel(id);
    const results: unknown[] = [];
    for (let more = true; more && results.length < 9; ) {
      const result = await durably.deleteRuns({ q: id });
      results.push(result);
      more = result.more;
    }
    expect(results.at(0)).toEqual({ count: 0, more: true });
    expect(results.at(-1)).toEqual({ count: 1, more: false });
    const other = await rescue(world);
    expect((await countByStatus(other)).pending).toBeUndefined();
  });

  test('is visited with others in one portion if each has few runs below', async ({ world }) => {
    const { durably } = await largeTree(world, { worker: 'on-demand' });
    await addParents(durably, 100);
    expect(await durably.cancelRuns({ labels: { of: 'many' } })).toEqual({ count: 100, more: false });
    expect(await countMarked(durably)).toBe(0);
  });

  test('is not removed as an old run', async ({ world }) => {
    const { durably } = await world.idle({ worker: 'on-demand' });
    await durably.db
      .insertInto('durably_runs')
      .values([
        { ...below(null), id: 'top', status: 'failed', cancels_below: 1 },
        { ...below('top'), id: 'middle', status: 'completed' },
        { ...below('middle'), id: 'leaf', status: 'pending' },
      ])
      .execute();
    await durably.db.updateTable('durably_runs').set({ completed_at: 1 }).where('id', '=', 'top').execute();
    expect(await durably.purgeRuns({ olderThan: '1d' })).toEqual({ count: 0, more: false });
    const other = await rescue(world);
    expect(await countByStatus(other)).toEqual({ failed: 1, completed: 1, cancelled: 1 });
    expect(await other.purgeRuns({ olderThan: '1d' })).toEqual({ count: 1, more: false });
  });
});

/** A completed run below the root of a large tree, with two pending ones below it. One of the last to be visited. */
const MIDDLE = 'child 4949';

/** Repeats the command until it is not refused for now. Returns the number of refusals. */
async function persist(command: () => Promise<unknown>): Promise<number> {
  for (let refusals = 0; ; refusals++) {
    const refusal = await command().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (refusal === undefined) return refusals;
    if (refusals > 9 || !(refusal instanceof Error) || !refusal.message.endsWith(': try again'))
      throw refusal;
  }
}

contract('an ended run that the cancellation of a run above it has not visited yet', (test) => {
  test('is deleted when the cancellation has passed it', async ({ world }) => {
    const { durably, id } = await largeTree(world, { worker: 'on-demand' });
    await durably.cancel(id);
    expect(await persist(() => durably.deleteRun(MIDDLE))).toBeGreaterThan(0);
    expect(await durably.getRun(MIDDLE)).toBeNull();
    expect((await countByStatus(await rescue(world))).pending).toBeUndefined();
  });

  test('is retried when the cancellation has passed it, and is not cancelled then', async ({ world }) => {
    const { durably, id } = await largeTree(world, { worker: 'on-demand' });
    await durably.db.updateTable('durably_runs').set({ status: 'failed' }).where('id', '=', MIDDLE).execute();
    await durably.cancel(id);
    expect(await persist(() => durably.retry(MIDDLE))).toBeGreaterThan(0);
    expect((await durably.getRun(MIDDLE))?.status).toBe('pending');
    const other = await rescue(world);
    expect((await other.getRun(MIDDLE))?.status).not.toBe('cancelled');
  });

  test('is left alone by commands for many, which say that there is more', async ({ world }) => {
    const { durably, id } = await largeTree(world, { worker: 'on-demand' });
    await durably.cancel(id);
    const results: unknown[] = [];
    for (let more = true; more && results.length < 9; ) {
      const result = await durably.deleteRuns({ q: MIDDLE });
      results.push(result);
      more = result.more;
    }
    expect(results.at(0)).toEqual({ count: 0, more: true });
    expect(results.at(-1)).toEqual({ count: 1, more: false });
    expect((await countByStatus(await rescue(world))).pending).toBeUndefined();
  });

  test('is not removed as an old run', async ({ world }) => {
    const { durably } = await world.idle({ worker: 'on-demand' });
    await durably.db
      .insertInto('durably_runs')
      .values([
        { ...below(null), id: 'top', status: 'failed', cancels_below: 1 },
        { ...below('top'), id: 'middle', status: 'completed' },
        { ...below('middle'), id: 'inner', status: 'completed' },
        { ...below('inner'), id: 'leaf', status: 'pending' },
      ])
      .execute();
    await durably.db
      .updateTable('durably_runs')
      .set({ completed_at: 1 })
      .where('id', '=', 'middle')
      .execute();
    expect(await durably.purgeRuns({ olderThan: '1d' })).toEqual({ count: 0, more: false });
    const other = await rescue(world);
    expect(await countByStatus(other)).toEqual({ failed: 1, completed: 2, cancelled: 1 });
    expect(await other.purgeRuns({ olderThan: '1d' })).toEqual({ count: 1, more: false });
  });
});
