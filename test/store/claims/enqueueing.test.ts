import { expect } from 'vitest';
import { scopedKey } from '../../../src/core/triggers/key-scope.ts';
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
} from '../requests.ts';

contract('Store.enqueue', (test) => {
  test('returns the stored runs in the given order', async ({ world }) => {
    const { store } = await world.store();
    const runs = [newRun({ payload: '1' }), newRun({ jobName: 'other', labels: '{"tenant":"a"}' })];
    const enqueued = await store.enqueue(runs);
    expect(enqueued.map(({ runId }) => runId)).toEqual(runs.map(({ id }) => id));
    expect(enqueued.map(({ disposition }) => disposition)).toEqual(['created', 'created']);
    for (const { runId, toRun } of enqueued) expect(toRun()).toEqual(await store.getRun(runId));
    expect(enqueued[1]?.toRun()).toMatchObject({
      jobName: 'other',
      status: 'pending',
      isActive: true,
      labels: { tenant: 'a' },
      attempt: 0,
      stepCount: 0,
      startedAt: null,
      heartbeatAt: null,
      completedAt: null,
      output: null,
      error: null,
    });
  });

  test('returns an empty list for no runs', async ({ world }) => {
    const { store } = await world.store();
    expect(await store.enqueue([])).toEqual([]);
  });

  test('stores the text of a payload unchanged', async ({ world }) => {
    const { store } = await world.store();
    const payload = '{"b": 1.0,  "a":[1e3, "\\u00e9 é 😀"], "a":2}';
    const large = JSON.stringify('x"\\'.repeat(200_000));
    const ids = [await enqueue(store, { payload }), await enqueue(store, { payload: large })];
    const stored = await Promise.all(ids.map((id) => store.getRun(id)));
    expect(stored.map((run) => run?.payload.text)).toEqual([payload, large]);
  });

  test('adds an event for each run that it stores', async ({ world }) => {
    const { store } = await world.store();
    const id = await enqueue(store);
    expect(await eventTypes(store, id)).toEqual(['run:trigger']);
  });

  test('stores a run once if it is sent again after its answer was lost', async ({ world }) => {
    const { store } = await world.store();
    const run = newRun();
    await store.enqueue([run]);
    const [again] = await store.enqueue([run]);
    expect(again).toMatchObject({ disposition: 'created', runId: run.id });
    expect(await listIds(store)).toEqual([run.id]);
    expect(await eventTypes(store, run.id)).toEqual(['run:trigger']);
  });

  test('stores all runs of a call or none', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    await tools.refuseRuns('"poison"');
    await expect(store.enqueue([newRun(), newRun({ payload: '"poison"' }), newRun()])).rejects.toThrow();
    expect(await listIds(store)).toEqual([]);
    expect(await store.journalHead()).toBe(0);
  });

  test('stores the runs of a call even if a concurrent call is refused', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    await tools.refuseRuns('"poison"');
    const [first, last] = [newRun(), newRun()];
    const calls = [[first], [newRun(), newRun({ payload: '"poison"' })], [last]];
    const settled = await Promise.allSettled(calls.map((runs) => store.enqueue(runs)));
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(new Set(await listIds(store))).toEqual(new Set([first.id, last.id]));
  });

  test('keeps the order of the runs of a call', async ({ world }) => {
    const { store } = await world.store();
    const runs = Array.from({ length: 30 }, () => newRun());
    await store.enqueue(runs);
    expect(await claimIds(store, { limit: 30 })).toEqual(runs.map(({ id }) => id));
  });
});

contract('an idempotency key', (test) => {
  test('has one run per job, which another call returns', async ({ world }) => {
    const { store } = await world.store();
    const first = newRun({ idempotencyKey: 'key', payload: '"first"' });
    await store.enqueue([first]);
    const head = await store.journalHead();
    const [again] = await store.enqueue([newRun({ idempotencyKey: 'key', payload: '"second"' })]);
    expect(again).toMatchObject({ disposition: 'idempotent', runId: first.id });
    expect(again?.toRun().idempotencyKey).toBe('key');
    expect(again?.toRun().payload.text).toBe('"first"');
    expect(await store.journalHead()).toBe(head);
    const [other] = await store.enqueue([newRun({ idempotencyKey: 'key', jobName: 'other' })]);
    expect(other?.disposition).toBe('created');
  });

  test('has one run if it occurs twice in a call', async ({ world }) => {
    const { store } = await world.store();
    const runs = [newRun({ idempotencyKey: 'key' }), newRun(), newRun({ idempotencyKey: 'key' })];
    const enqueued = await store.enqueue(runs);
    expect(enqueued.map(({ disposition }) => disposition)).toEqual(['created', 'created', 'idempotent']);
    expect(enqueued[2]?.runId).toBe(runs[0]?.id);
    expect(await listIds(store)).toHaveLength(2);
  });

  test('has one run if two processes use it at once', async ({ world }) => {
    const stores = await Promise.all([world.store(), world.store()]);
    const calls = stores.flatMap(({ store }) =>
      Array.from({ length: 5 }, () => store.enqueue([newRun({ idempotencyKey: 'key' })])),
    );
    const enqueued = (await Promise.all(calls)).flat();
    expect(new Set(enqueued.map(({ runId }) => runId)).size).toBe(1);
    expect(enqueued.filter(({ disposition }) => disposition === 'created')).toHaveLength(1);
  });

  test('is a different key in each scope, and runs do not show their scope', async ({ world }) => {
    const { store } = await world.store();
    const keys = ['key', scopedKey('a', 'key'), scopedKey('b', 'key')];
    const calls = await store.enqueue(keys.map((idempotencyKey) => newRun({ idempotencyKey })));
    expect(calls.map(({ disposition }) => disposition)).toEqual(['created', 'created', 'created']);
    expect(calls.map(({ toRun }) => toRun().idempotencyKey)).toEqual(['key', 'key', 'key']);
    const [again] = await store.enqueue([newRun({ idempotencyKey: scopedKey('b', 'key') })]);
    expect(again).toMatchObject({ disposition: 'idempotent', runId: calls[2]?.runId });
    expect(again?.toRun().idempotencyKey).toBe('key');
  });

  test('stays with an ended run, and is free when the run is deleted', async ({ world }) => {
    const { store } = await world.store();
    const id = await enqueue(store, { idempotencyKey: 'key' });
    await append(store, await claimOne(store), [completed()]);
    const [again] = await store.enqueue([newRun({ idempotencyKey: 'key' })]);
    expect(again).toMatchObject({ disposition: 'idempotent', runId: id });
    expect(again?.toRun().status).toBe('completed');
    await store.command('delete', id);
    const [free] = await store.enqueue([newRun({ idempotencyKey: 'key' })]);
    expect(free?.disposition).toBe('created');
    expect((await claim(store)).runs).toHaveLength(1);
  });
});
