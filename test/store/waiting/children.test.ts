import { expect } from 'vitest';
import type { Lease } from '../../../src/core/ownership/lease.ts';
import type { Store } from '../../../src/core/store.ts';
import { contract } from '../../support/contract.ts';
import {
  all,
  append,
  claimOne,
  completed,
  eventTypes,
  failed,
  listIds,
  query,
  running,
  snapshot,
} from '../requests.ts';
import { starts, waitsFor } from './started-runs.ts';

/** A run with one step that has started a run, in one append with its wait. */
async function waiting(store: Store): Promise<{ parent: Lease; childId: string }> {
  const parent = await running(store);
  const { child, note } = starts('one');
  await append(store, parent, [note, waitsFor(child.id)]);
  return { parent, childId: child.id };
}

contract('a run that a step starts', (test) => {
  test('is stored with the beginning of the step', async ({ world }) => {
    const { store } = await world.store();
    const parent = await running(store);
    const { child, note } = starts('one', { labels: '{"of":"parent"}', priority: 5, concurrencyKey: 'key' });
    expect(await append(store, parent, [note])).toBe('stored');
    expect(await store.getRun(child.id)).toMatchObject({
      jobName: 'child',
      status: 'pending',
      parentRunId: parent.runId,
      labels: { of: 'parent' },
      concurrencyKey: 'key',
    });
    expect((await store.getRun(child.id))?.payload.text).toBe('{"n":1}');
    expect(await store.listKnownSteps(parent.runId)).toMatchObject([
      { state: 'open', name: 'one', kind: 'invoke', child: { runId: child.id, status: 'pending' } },
    ]);
    expect(await listIds(store, { parentRunId: parent.runId })).toEqual([child.id]);
    expect(await eventTypes(store, parent.runId)).toEqual(['run:trigger', 'run:start', 'step:start']);
    const [trigger] = (await store.readRunJournal({ runId: child.id, after: 0, limit: 10 })).rows;
    expect(trigger).toMatchObject({
      type: 'run:trigger',
      data: JSON.stringify({ parentRunId: parent.runId }),
    });
    const taken = await claimOne(store, { jobNames: ['child'] });
    expect(taken).toMatchObject({ parentRunId: parent.runId, depth: 1 });
  });

  test('is stored once, however often its append is sent', async ({ world }) => {
    const { store } = await world.store();
    const parent = await running(store);
    const { child, note } = starts('one');
    await append(store, parent, [note]);
    expect(await append(store, parent, [note], 1, true)).toBe('stored');
    expect(await listIds(store, { parentRunId: parent.runId })).toEqual([child.id]);
    expect(await eventTypes(store, parent.runId)).toEqual(['run:trigger', 'run:start', 'step:start']);
  });

  test('is not stored for an owner that lost its run', async ({ world }) => {
    const { store } = await world.store();
    const parent = await running(store);
    await store.command('cancel', parent.runId);
    const { child, note } = starts('one');
    expect(await append(store, parent, [note])).toBe('refused');
    expect(await store.getRun(child.id)).toBeNull();
  });

  test('may be for later', async ({ world }) => {
    const { store } = await world.store();
    const parent = await running(store);
    const later = starts('one', { due: { afterMs: 60_000 } });
    const past = starts('two', { due: { atMs: 1 } });
    await append(store, parent, [later.note, past.note]);
    expect(await store.getRun(later.child.id)).toMatchObject({
      status: 'waiting',
      waits: [{ kind: 'delay' }],
    });
    expect(await store.getRun(past.child.id)).toMatchObject({ status: 'pending', waits: [] });
  });

  test('wakes the run that waits for it when it ends', async ({ world }) => {
    const { store } = await world.store();
    const { parent, childId } = await waiting(store);
    expect(await store.getRun(parent.runId)).toMatchObject({
      status: 'waiting',
      waits: [{ kind: 'run', runId: childId, until: null }],
    });
    const child = await claimOne(store, { jobNames: ['child'] });
    await append(store, child, [completed('42')]);
    const again = await claimOne(store, { jobNames: ['job'] });
    expect(again).toMatchObject({ runId: parent.runId, kind: 'resume' });
    expect(await store.listKnownSteps(parent.runId)).toMatchObject([
      { state: 'open', child: { runId: childId, status: 'completed', error: null, output: '42' } },
    ]);
  });

  test.for(['failed', 'cancelled'] as const)('wakes it when it is %s', async (how, { world }) => {
    const { store } = await world.store();
    const { parent, childId } = await waiting(store);
    if (how === 'cancelled') await store.command('cancel', childId);
    else await append(store, await claimOne(store, { jobNames: ['child'] }), [failed('broken')]);
    expect((await store.getRun(parent.runId))?.status).toBe('pending');
    expect(await store.listKnownSteps(parent.runId)).toMatchObject([
      { child: { status: how, error: how === 'failed' ? 'broken' : null } },
    ]);
  });

  test('that is over already lets a wait for it end at once, and so does one that was deleted', async ({
    world,
  }) => {
    const { store } = await world.store();
    for (const status of ['cancelled', 'completed', 'deleted'] as const) {
      const parent = await running(store);
      const { child, note } = starts('one');
      await append(store, parent, [note]);
      if (status === 'completed')
        await append(store, await claimOne(store, { jobNames: ['child'] }), [completed()]);
      else await store.command('cancel', child.id);
      if (status === 'deleted') await store.command('delete', child.id);
      await append(store, parent, [waitsFor(child.id)], 2);
      expect((await store.getRun(parent.runId))?.status).toBe('pending');
      expect(await store.listKnownSteps(parent.runId)).toMatchObject([{ child: { status } }]);
      await claimOne(store, { jobNames: ['job'] });
    }
  });

  test('that did not complete is forgotten by a retry of its step’s run', async ({ world }) => {
    const { store } = await world.store();
    const { parent } = await waiting(store);
    await store.command('cancel', parent.runId);
    await store.command('retry', parent.runId);
    expect(await store.listKnownSteps(parent.runId)).toEqual([]);
  });
});

contract('cancelling a run', (test) => {
  test('cancels the active runs below it, and answers with them', async ({ world }) => {
    const { store } = await world.store();
    const { parent, childId } = await waiting(store);
    const child = await claimOne(store, { jobNames: ['child'] });
    const leaf = starts('leaf', { jobName: 'leaf' });
    await append(store, child, [leaf.note, completed()]);
    const other = await running(store, { jobName: 'other' });
    expect(await store.command('cancel', parent.runId)).toEqual({
      kind: 'done',
      jobName: 'job',
      leavesMore: false,
      alsoCancelled: [{ runId: leaf.child.id, jobName: 'leaf' }],
    });
    expect((await store.getRun(childId))?.status).toBe('completed');
    expect((await store.getRun(leaf.child.id))?.status).toBe('cancelled');
    expect((await store.getRun(other.runId))?.status).toBe('running');
    expect((await eventTypes(store, leaf.child.id)).at(-1)).toBe('run:cancel');
  });

  test('that is over changes nothing below it', async ({ world }) => {
    const { store } = await world.store();
    const parent = await running(store);
    const { child, note } = starts('one');
    await append(store, parent, [note, completed()]);
    const before = await snapshot(store, child.id);
    expect(await store.command('cancel', parent.runId)).toMatchObject({ kind: 'wrong-state' });
    expect(await snapshot(store, child.id)).toEqual(before);
  });
});

contract('Store.listKeysAbove', (test) => {
  test('has the keys of all runs above a run', async ({ world }) => {
    const { store } = await world.store();
    const top = await running(store, { concurrencyKey: 'top' });
    const middle = starts('one', { concurrencyKey: 'middle' });
    await append(store, top, [middle.note]);
    const child = await claimOne(store, { jobNames: ['child'] });
    const leaf = starts('two', { jobName: 'leaf', concurrencyKey: 'own' });
    await append(store, child, [leaf.note]);
    expect((await store.listKeysAbove(leaf.child.id)).sort()).toEqual(['middle', 'top']);
    expect(await store.listKeysAbove(top.runId)).toEqual([]);
    expect(await all((await store.listRuns(query({ parentRunId: child.runId }))).portions)).toHaveLength(1);
  });
});
