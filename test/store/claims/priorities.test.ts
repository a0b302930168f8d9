import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { claimIds, claimOne, enqueue, entry, newRun, running, STALE_MS } from '../requests.ts';

const HOUR_MS = 3_600_000;

contract('a run’s priority', (test) => {
  test('puts it before older runs of a lower priority, and behind older runs of the same one', async ({
    world,
  }) => {
    const { store } = await world.store();
    const [low, first, high, second, highest] = [
      await enqueue(store, { priority: -1 }),
      await enqueue(store),
      await enqueue(store, { priority: 5 }),
      await enqueue(store, { priority: 0 }),
      await enqueue(store, { priority: 1000 }),
    ];
    expect(await claimIds(store, { limit: 2 })).toEqual([highest, high]);
    expect(await claimIds(store, { limit: 10 })).toEqual([first, second, low]);
  });

  test('counts across jobs', async ({ world }) => {
    const { store } = await world.store();
    const first = await enqueue(store, { jobName: 'a' });
    const second = await enqueue(store, { jobName: 'b', priority: 1 });
    const third = await enqueue(store, { jobName: 'a', priority: 1 });
    const jobNames = ['a', 'b'];
    expect(await claimIds(store, { jobNames, limit: 2 })).toEqual([second, third]);
    expect(await claimIds(store, { jobNames })).toEqual([first]);
  });

  test('counts for a run whose worker vanished', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const stale = await running(store, { priority: -1 });
    await tools.ageHeartbeat(stale.runId, STALE_MS + 1_000);
    const fresh = await enqueue(store);
    expect(await claimIds(store)).toEqual([fresh]);
    expect(await claimIds(store)).toEqual([stale.runId]);
  });

  test('stays through a hand-back, a wait and a retry', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const high = await enqueue(store, { priority: 1 });
    await enqueue(store);
    let lease = await claimOne(store);
    expect(lease.runId).toBe(high);
    await store.handBack([lease]);
    lease = await claimOne(store);
    expect(lease.runId).toBe(high);
    const until = new Date(Date.now() + HOUR_MS).toISOString();
    const data = JSON.stringify({
      dueAt: Date.parse(until),
      waits: [{ kind: 'sleep', stepName: 'rest', until }],
    });
    await store.append({
      lease,
      number: 1,
      sentAtMs: 0,
      entries: [{ ...entry({ type: 'run:wait', data }), atMs: 0 }],
      isRepeated: false,
    });
    await tools.ageDue(high, HOUR_MS);
    lease = await claimOne(store);
    expect(lease.runId).toBe(high);
    await store.command('cancel', high);
    await store.command('retry', high);
    expect((await claimOne(store)).runId).toBe(high);
  });

  test('decides whose turn it is at a concurrency key, within a job and between jobs', async ({ world }) => {
    const { store } = await world.store();
    const keyed = { concurrencyKey: 'k' };
    const first = await enqueue(store, keyed);
    const second = await enqueue(store, keyed);
    const high = await enqueue(store, { ...keyed, priority: 2 });
    const other = await enqueue(store, { ...keyed, priority: 1, jobName: 'other' });
    const low = await enqueue(store, { ...keyed, priority: -1 });
    const order = [];
    for (let i = 0; i < 5; i++) {
      const run = await claimOne(store, { jobNames: ['job', 'other'], limit: 5 });
      order.push(run.runId);
      await store.command('cancel', run.runId);
    }
    expect(order).toEqual([high, other, first, second, low]);
  });

  test('passes the turn on when the run that has it is cancelled, and back when it is retried', async ({
    world,
  }) => {
    const { store } = await world.store();
    const keyed = { concurrencyKey: 'k' };
    const low = await enqueue(store, keyed);
    const high = await enqueue(store, { ...keyed, priority: 1 });
    await store.command('cancel', high);
    const lease = await claimOne(store);
    expect(lease.runId).toBe(low);
    await store.handBack([lease]);
    await store.command('retry', high);
    expect(await claimIds(store, { limit: 5 })).toEqual([high]);
  });

  test('holds within a batch, with and without a key', async ({ world }) => {
    const { store } = await world.store();
    const runs = [0, 3, 1, 2].map((priority) => newRun({ priority, concurrencyKey: 'k' }));
    const free = [0, 3, 1, 2].map((priority) => newRun({ priority }));
    await store.enqueue([...runs, ...free]);
    expect(await claimIds(store, { limit: 3 })).toEqual([runs[1]?.id, free[1]?.id, free[3]?.id]);
  });
});
