import { expect } from 'vitest';
import { contract } from '../support/contract.ts';
import {
  append,
  claimIds,
  claimOne,
  completed,
  enqueue,
  entry,
  eventTypes,
  newRun,
  running,
  STALE_MS,
  stepCompleted,
} from './requests.ts';

contract('Store.renew', (test) => {
  test('keeps held leases from becoming stale, and returns them', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const held = await running(store);
    const cancelled = await running(store);
    await store.command('cancel', cancelled.runId);
    await tools.ageHeartbeat(held.runId, STALE_MS + 1_000);
    const unknown = { runId: 'unknown', fence: 1 };
    const leases = [held, cancelled, unknown].map(({ runId, fence }) => ({ runId, fence }));
    expect(await store.renew(leases)).toEqual([{ runId: held.runId, fence: held.fence }]);
    expect(await claimIds(store, { limit: 10 })).toEqual([]);
    expect(await store.renew([])).toEqual([]);
  });

  test('adds no event', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    const head = await store.journalHead();
    await store.renew([run]);
    expect(await store.journalHead()).toBe(head);
  });
});

contract('Store.handBack', (test) => {
  test('returns runs to pending without an event, and lists those that were held', async ({ world }) => {
    const { store } = await world.store();
    const held = await running(store);
    const over = await running(store);
    await append(store, over, [completed()]);
    const head = await store.journalHead();
    expect(await store.handBack([held, over])).toEqual([{ runId: held.runId, jobName: 'job', attempt: 1 }]);
    expect(await store.getRun(held.runId)).toMatchObject({
      status: 'pending',
      attempt: 1,
      heartbeatAt: null,
      completedAt: null,
    });
    expect(await store.journalHead()).toBe(head);
    expect(await store.handBack([])).toEqual([]);
  });

  test('lets the next claim continue the attempt with a higher fence', async ({ world }) => {
    const { store } = await world.store();
    const first = await running(store);
    const progress = entry({ type: 'run:progress', data: '{"current":1}' });
    await append(store, first, [stepCompleted('one', 0), progress]);
    await store.handBack([first]);
    const second = await claimOne(store);
    expect(second).toMatchObject({
      runId: first.runId,
      kind: 'resume',
      attempt: 1,
      stepCount: 1,
      lostCount: 0,
    });
    expect(second.fence).toBeGreaterThan(first.fence);
    expect(await store.getRun(first.runId)).toMatchObject({ progress: { current: 1 }, stepCount: 1 });
    const rows = await store.readRunJournal({ runId: first.runId, after: 0, limit: 10 });
    expect(rows.at(-1)).toMatchObject({ type: 'run:resume', attempt: 1 });
  });

  test('opens another attempt when the resumed run is lost', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const first = await running(store);
    await store.handBack([first]);
    await claimOne(store);
    await tools.ageHeartbeat(first.runId, STALE_MS + 1_000);
    expect(await claimOne(store)).toMatchObject({ kind: 'takeover', attempt: 2, lostCount: 1 });
    expect((await eventTypes(store, first.runId)).slice(1)).toEqual(['run:start', 'run:resume', 'run:start']);
  });

  test('keeps the run’s place in the order of insertion', async ({ world }) => {
    const { store } = await world.store();
    const first = await running(store);
    const second = await enqueue(store);
    await store.handBack([first]);
    expect(await claimIds(store, { limit: 2 })).toEqual([first.runId, second]);
  });

  test('hands back each of many leases', async ({ world }) => {
    const { store } = await world.store();
    await store.enqueue(Array.from({ length: 30 }, () => newRun()));
    const leases = [];
    for (let i = 0; i < 30; i++) leases.push(await claimOne(store));
    expect(await store.renew(leases)).toHaveLength(30);
    expect(await store.handBack(leases)).toHaveLength(30);
    expect(await claimIds(store, { limit: 50 })).toEqual(leases.map(({ runId }) => runId));
  });
});
