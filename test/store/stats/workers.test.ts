import { expect } from 'vitest';
import type { NotedWorker } from '../../../src/core/stats/worker-info.ts';
import { contract } from '../../support/contract.ts';
import { claimOne, enqueue } from '../requests.ts';

const worker = (given: Partial<NotedWorker> = {}): NotedWorker => ({
  instance: 'worker_1',
  version: '1.0.0',
  inUse: 0,
  slots: 10,
  jobs: ['a', 'b'],
  isOnDemand: false,
  ...given,
});
const MINUTE_MS = 60_000;
const never = Number.POSITIVE_INFINITY;

contract('the workers of a store', (test) => {
  test('are listed as they said last, in the order of their starts', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    expect(await store.listWorkers()).toEqual([]);
    await store.noteWorker(worker({ instance: 'worker_2' }));
    await store.noteWorker(worker());
    await tools.ageWorker('worker_1', MINUTE_MS);
    await store.noteWorker(worker({ inUse: 3, jobs: ['a'], version: '1.0.1' }));
    const workers = await store.listWorkers();
    expect(workers).toMatchObject([
      { instance: 'worker_1', version: '1.0.1', inUse: 3, slots: 10, jobs: ['a'] },
      { instance: 'worker_2', version: '1.0.0', inUse: 0, slots: 10, jobs: ['a', 'b'] },
    ]);
    const [first] = workers;
    expect((first?.seenAtMs ?? 0) - (first?.startedAtMs ?? 0)).toBeGreaterThanOrEqual(MINUTE_MS);
  });

  test('on demand begin anew each time', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const onDemand = worker({ instance: 'on-demand', isOnDemand: true });
    await store.noteWorker(onDemand);
    await tools.ageWorker('on-demand', MINUTE_MS);
    await store.noteWorker(onDemand);
    const [{ startedAtMs, seenAtMs } = {}] = await store.listWorkers();
    expect(startedAtMs).toBe(seenAtMs);
  });

  test('are gone when they stopped, and an hour after they were seen', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const instances = async () => (await store.listWorkers()).map(({ instance }) => instance);
    for (const instance of ['stopped', 'vanished', 'there']) await store.noteWorker(worker({ instance }));
    await store.forgetWorker('stopped', never);
    await store.forgetWorker('stopped', never);
    await tools.ageWorker('vanished', 59 * MINUTE_MS);
    expect((await instances()).sort()).toEqual(['there', 'vanished']);
    await tools.ageWorker('vanished', 2 * MINUTE_MS);
    expect(await instances()).toEqual(['there']);
  });
});

contract('the overview of a store', (test) => {
  test('says since when a run has been pending', async ({ world }) => {
    const { store } = await world.store();
    expect(await store.readOverview()).toMatchObject({ pendingSinceMs: null });
    const first = await enqueue(store);
    const { nowMs, pendingSinceMs } = await store.readOverview();
    const run = await store.getRun(first);
    expect(pendingSinceMs).toBe(Date.parse(run?.createdAt ?? ''));
    expect(nowMs).toBeGreaterThanOrEqual(pendingSinceMs ?? Number.NaN);
    await claimOne(store);
    expect(await store.readOverview()).toMatchObject({ pendingSinceMs: null });
  });

  test('says how large the database is', async ({ world }) => {
    const { store } = await world.store();
    const before = (await store.readOverview()).databaseBytes ?? 0;
    expect(before).toBeGreaterThan(0);
    await enqueue(store, { payload: JSON.stringify('x'.repeat(100_000)) });
    expect((await store.readOverview()).databaseBytes).toBeGreaterThan(before + 90_000);
  });
});
