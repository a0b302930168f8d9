import { expect } from 'vitest';
import type { ClaimedRun } from '../../../src/core/ownership/claim.ts';
import { contract } from '../../support/contract.ts';
import {
  append,
  claim,
  claimIds,
  claimOne,
  completed,
  enqueue,
  eventTypes,
  listIds,
  newRun,
  running,
} from '../requests.ts';

contract('Store.claim', (test) => {
  test('takes the oldest pending runs, up to its limit, and says whether more are left', async ({
    world,
  }) => {
    const { store } = await world.store();
    const runs = Array.from({ length: 5 }, (_, i) => newRun({ payload: `${i}` }));
    await store.enqueue(runs);
    const ids = runs.map(({ id }) => id);
    const first = await claim(store, { limit: 3 });
    expect(first.runs.map(({ runId }) => runId)).toEqual(ids.slice(0, 3));
    expect(first.runs[0]).toEqual({
      runId: ids[0],
      jobName: 'job',
      kind: 'start',
      attempt: 1,
      fence: expect.any(Number),
      payload: '0',
      concurrencyKey: null,
      stepCount: 0,
      lostCount: 0,
      retryCount: 0,
      version: 1,
      pluginData: null,
      databaseAheadMs: expect.any(Number),
      claimedAtMs: expect.any(Number),
      dueSinceMs: expect.any(Number),
      startedAtMs: expect.any(Number),
      parentRunId: null,
      depth: 0,
    });
    expect(first).toMatchObject({ more: true, lost: [] });
    const second = await claim(store, { limit: 3 });
    expect(second.runs.map(({ runId }) => runId)).toEqual(ids.slice(3));
    expect(second.more).toBe(false);
    expect(await claim(store, { limit: 3 })).toEqual({ runs: [], lost: [], more: false, moreDue: false });
  });

  test('takes only runs of the jobs that it names', async ({ world }) => {
    const { store } = await world.store();
    const a = await enqueue(store, { jobName: 'a' });
    const b = await enqueue(store, { jobName: 'b' });
    await enqueue(store, { jobName: 'c' });
    const { runs, more } = await claim(store, { jobNames: ['b', 'a'], limit: 10 });
    expect(runs.map(({ runId }) => runId)).toEqual([a, b]);
    expect(more).toBe(false);
    expect(await claimIds(store, { jobNames: [], limit: 10 })).toEqual([]);
  });

  test('sets a run to running, and adds an event with the payload', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store, { payload: '{"a": 1}' });
    const stored = await store.getRun(run.runId);
    expect(stored).toMatchObject({
      status: 'running',
      attempt: 1,
      startedAt: expect.any(String),
      heartbeatAt: expect.any(String),
      completedAt: null,
    });
    const { rows } = await store.readRunJournal({ runId: run.runId, after: 0, limit: 10 });
    expect(rows.map(({ type }) => type)).toEqual(['run:trigger', 'run:start']);
    expect(rows[1]).toMatchObject({ attempt: 1, data: '{"a": 1}', jobName: 'job' });
  });

  test('never gives a run to two claims', async ({ world }) => {
    const stores = await Promise.all([world.store(), world.store(), world.store()]);
    const [first] = stores;
    await first?.store.enqueue(Array.from({ length: 20 }, () => newRun()));
    const claims = stores.flatMap(({ store }) => [
      claimIds(store, { limit: 4 }),
      claimIds(store, { limit: 4 }),
    ]);
    const ids = (await Promise.all(claims)).flat();
    expect(ids).toHaveLength(20);
    expect(new Set(ids).size).toBe(20);
  });

  test('returns whole payloads, whatever their total size', async ({ world }) => {
    const { store } = await world.store();
    const payloads = ['a', 'b', 'c', 'd'].map((letter) => JSON.stringify(letter.repeat(900_000)));
    await store.enqueue(payloads.map((payload) => newRun({ payload })));
    const { runs } = await claim(store, { limit: 4 });
    expect(runs.map(({ payload }) => payload)).toEqual(payloads);
  });

  test('finds the runs that it took if it is repeated by its token, and takes no others', async ({
    world,
  }) => {
    const { store } = await world.store();
    await store.enqueue(Array.from({ length: 4 }, () => newRun()));
    const first = await claim(store, { limit: 2, claimToken: 'token' });
    const again = await claim(store, { limit: 2, claimToken: 'token', isAskedAgain: true });
    // The clocks are compared anew with each answer.
    const byId = (runs: readonly ClaimedRun[]) =>
      new Map(runs.map((run) => [run.runId, { ...run, claimedAtMs: 0, databaseAheadMs: 0 }]));
    expect(byId(again.runs)).toEqual(byId(first.runs));
    expect(await claimIds(store, { limit: 10 })).toHaveLength(2);
  });

  test('takes runs when it is repeated, if it had taken none', async ({ world }) => {
    const { store } = await world.store();
    const id = await enqueue(store);
    expect(await claimIds(store, { claimToken: 'token', isAskedAgain: true })).toEqual([id]);
  });

  test('does not return runs that were claimed by others before it is repeated', async ({ world }) => {
    const { store } = await world.store();
    const id = await enqueue(store);
    const first = await claimOne(store, { claimToken: 'first' });
    await store.handBack([first]);
    await claimOne(store, { claimToken: 'second' });
    expect(await claimIds(store, { claimToken: 'first', isAskedAgain: true })).toEqual([]);
    expect((await eventTypes(store, id)).filter((type) => type === 'run:start')).toHaveLength(1);
  });
});

contract('a concurrency key', (test) => {
  test('allows one running run, and gives the turn to pending runs in order', async ({ world }) => {
    const { store } = await world.store();
    const runs = [
      newRun({ concurrencyKey: 'k' }),
      newRun({ concurrencyKey: 'k' }),
      newRun(),
      newRun({ concurrencyKey: 'l' }),
      newRun({ concurrencyKey: 'k' }),
    ];
    await store.enqueue(runs);
    const [k1, k2, free, l1, k3] = runs.map(({ id }) => id);
    const { runs: taken } = await claim(store, { limit: 10 });
    expect(taken.map(({ runId }) => runId)).toEqual([k1, free, l1]);
    expect(taken.map(({ concurrencyKey }) => concurrencyKey)).toEqual(['k', null, 'l']);
    expect(await claimIds(store, { limit: 10 })).toEqual([]);
    const [first] = taken;
    if (first) await append(store, first, [completed()]);
    expect(await claimIds(store, { limit: 10 })).toEqual([k2]);
    await store.command('cancel', k2 ?? '');
    expect(await claimIds(store, { limit: 10 })).toEqual([k3]);
  });

  test('is shared by all jobs', async ({ world }) => {
    const { store } = await world.store();
    const a = await enqueue(store, { jobName: 'a', concurrencyKey: 'k' });
    const b = await enqueue(store, { jobName: 'b', concurrencyKey: 'k' });
    const both = { jobNames: ['b', 'a'], limit: 10 };
    const { runs } = await claim(store, both);
    expect(runs.map(({ runId }) => runId)).toEqual([a]);
    expect(await claimIds(store, both)).toEqual([]);
    for (const run of runs) await append(store, run, [completed()]);
    expect(await claimIds(store, both)).toEqual([b]);
  });

  test('does not wait for the older run of a job that the claim does not name', async ({ world }) => {
    const { store } = await world.store();
    await enqueue(store, { jobName: 'a', concurrencyKey: 'k' });
    const b = await enqueue(store, { jobName: 'b', concurrencyKey: 'k' });
    expect(await claimIds(store, { jobNames: ['b'], limit: 10 })).toEqual([b]);
  });

  test('gives the turn back to a run that was handed back', async ({ world }) => {
    const { store } = await world.store();
    const first = await running(store, { concurrencyKey: 'k' });
    const second = await enqueue(store, { concurrencyKey: 'k' });
    await store.handBack([first]);
    expect(await claimIds(store, { limit: 10 })).toEqual([first.runId]);
    await store.command('cancel', first.runId);
    expect(await claimIds(store, { limit: 10 })).toEqual([second]);
  });

  test('is claimed once by concurrent claims', async ({ world }) => {
    const stores = await Promise.all([world.store(), world.store()]);
    const [first] = stores;
    await first?.store.enqueue(Array.from({ length: 5 }, () => newRun({ concurrencyKey: 'k' })));
    const claims = stores.flatMap(({ store }) => [claimIds(store, { limit: 5 }), claimIds(store)]);
    expect((await Promise.all(claims)).flat()).toHaveLength(1);
    expect(await listIds(stores[0].store, { statuses: ['running'] })).toHaveLength(1);
  });
});
