import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { append, claimIds, enqueue, failed } from '../requests.ts';
import { end, limits, many, waitUntil } from './limited.ts';

const HOUR_MS = 3_600_000;

contract('a waiting run', (test) => {
  test('gives its places and its concurrency key to others', async ({ world }) => {
    const { store } = await world.store();
    const one = limits({ limit: 1, perKey: 1 });
    const [first = '', second] = await many(store, 2, { limitKey: 'a', concurrencyKey: 'x' });
    expect(await claimIds(store, one)).toEqual([first]);
    await append(store, { runId: first, fence: 1 }, [waitUntil(Date.now() + HOUR_MS)]);
    expect(await claimIds(store, { limit: 10, ...one })).toEqual([second]);
  });

  test('keeps them if its job holds them, and goes on before others', async ({ world }) => {
    const { store } = await world.store();
    const one = limits({ limit: 1, perKey: 1, whileWaiting: 'hold' });
    const [first = '', second] = await many(store, 2, { limitKey: 'a', concurrencyKey: 'x' });
    const urgent = await enqueue(store, { limitKey: 'a', concurrencyKey: 'x', priority: 9 });
    const [other] = await many(store, 1, { jobName: 'other', concurrencyKey: 'x' });
    expect(await claimIds(store, { ...one })).toEqual([urgent]);
    await end(store, urgent);
    expect(await claimIds(store, { ...one })).toEqual([first]);
    const jobNames = ['job', 'other'];
    await append(store, { runId: first, fence: 1 }, [waitUntil(Date.now() - 1)]);
    const later = await enqueue(store, { limitKey: 'a', concurrencyKey: 'x', priority: 9 });
    expect(await claimIds(store, { jobNames, limit: 10, wakesDue: false, ...one })).toEqual([]);
    expect(await claimIds(store, { jobNames: ['other'], limit: 10, wakesDue: false })).toEqual([]);
    expect(await claimIds(store, { jobNames, limit: 10, ...one })).toEqual([first]);
    await end(store, first, 2);
    expect(await claimIds(store, { jobNames, limit: 10, ...one })).toEqual([later]);
    await end(store, later);
    expect(await claimIds(store, { jobNames, limit: 10, ...one })).toEqual([second]);
    await end(store, second ?? '');
    expect(await claimIds(store, { jobNames, limit: 10, ...one })).toEqual([other]);
  });

  test('that holds its key is claimed by a process that knows no limits, and leaves the key when it ends', async ({
    world,
  }) => {
    const { store } = await world.store();
    const hold = limits({ whileWaiting: 'hold' });
    const first = await enqueue(store, { concurrencyKey: 'x' });
    expect(await claimIds(store, hold)).toEqual([first]);
    await append(store, { runId: first, fence: 1 }, [waitUntil(Date.now() - 1)]);
    const urgent = await enqueue(store, { concurrencyKey: 'x', priority: 9 });
    const { store: other } = await world.store();
    expect(await claimIds(other, { limit: 10 })).toEqual([first]);
    await append(other, { runId: first, fence: 2 }, [failed()]);
    expect(await claimIds(other, { limit: 10 })).toEqual([urgent]);
  });
});
