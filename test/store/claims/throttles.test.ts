import { expect } from 'vitest';
import type { JobLimits } from '../../../src/core/triggers/limits.ts';
import { contract } from '../../support/contract.ts';
import { append, claimIds, enqueue } from '../requests.ts';
import { end, limits, many, waitUntil } from './limited.ts';

const HOUR_MS = 3_600_000;

contract('a throttle', (test) => {
  const slow = { limit: 2, perMs: HOUR_MS, isKeyed: false };

  test('lets only so many runs start, and the others in order as time goes by', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const ids = await many(store, 4, { throttleKey: null });
    const throttled = limits({ throttle: slow });
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([ids[0], ids[1]]);
    for (const id of ids.slice(0, 2)) await end(store, id);
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([]);
    await tools.ageThrottles(HOUR_MS / 2 + 1_000);
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([ids[2]]);
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([]);
    await tools.ageThrottles(HOUR_MS);
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([ids[3]]);
  });

  test('is forgotten when it is over, and not before', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    expect(await store.forgetThrottles()).toBe(false);
    const keys = Array.from({ length: 501 }, (_, i) => `${i}`);
    await Promise.all(keys.map((throttleKey) => enqueue(store, { throttleKey })));
    const throttled = limits({ throttle: { ...slow, limit: 1, isKeyed: true } });
    expect(await claimIds(store, { limit: 501, ...throttled })).toHaveLength(501);
    expect(await store.forgetThrottles()).toBe(false);
    await enqueue(store, { throttleKey: '0' });
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([]);
    await tools.ageThrottles(HOUR_MS + 1_000);
    expect(await claimIds(store, { limit: 10, ...throttled })).toHaveLength(1);
    expect(await store.forgetThrottles()).toBe(true);
    expect(await store.forgetThrottles()).toBe(false);
    await enqueue(store, { throttleKey: '0' });
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([]);
  });

  test('counts for each key, and does not hold up other keys', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const a = await many(store, 3, { throttleKey: 'a' });
    const b = await many(store, 1, { throttleKey: 'b' });
    const throttled = limits({ throttle: { ...slow, limit: 1, isKeyed: true } });
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([a[0], b[0]]);
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([]);
    await tools.ageThrottles(HOUR_MS + 1_000);
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([a[1]]);
  });

  test('does not count a run that goes on', async ({ world }) => {
    const { store } = await world.store();
    const throttled = limits({ throttle: { ...slow, limit: 1 } });
    const [first = '', second = ''] = await many(store, 2, { throttleKey: null });
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([first]);
    await append(store, { runId: first, fence: 1 }, [waitUntil(Date.now() - 1)]);
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([first]);
    await store.handBack([{ runId: first, fence: 2 }]);
    expect(await claimIds(store, { limit: 10, ...throttled })).toEqual([first]);
    expect((await store.getRun(second))?.status).toBe('pending');
  });

  test('and limits by key both hold', async ({ world }) => {
    const { store } = await world.store();
    const ids = await many(store, 3, { throttleKey: null, limitKey: 'a' });
    const others = await many(store, 3, { throttleKey: null, limitKey: 'b' });
    const both = limits({ perKey: 1, throttle: { ...slow, limit: 3 } });
    expect(await claimIds(store, { limit: 10, ...both })).toEqual([ids[0], others[0]]);
    await end(store, ids[0] ?? '');
    await end(store, others[0] ?? '');
    expect(await claimIds(store, { limit: 10, ...both })).toEqual([ids[1]]);
    await end(store, ids[1] ?? '');
    expect(await claimIds(store, { limit: 10, ...both })).toEqual([]);
  });

  test('opens at once when it is loosened', async ({ world }) => {
    const { store } = await world.store();
    const ids = await many(store, 3, { throttleKey: 'a' });
    const whole = await many(store, 3, { throttleKey: null, jobName: 'whole' });
    const jobNames = ['job', 'whole'];
    const both = (throttle: JobLimits['throttle'] & object) => ({
      jobNames,
      limit: 10,
      limits: [
        ...limits({ throttle: { ...throttle, isKeyed: true } }).limits,
        ...limits({ jobName: 'whole', throttle }).limits,
      ],
    });
    const daily = both({ limit: 1, perMs: 24 * HOUR_MS, isKeyed: false });
    expect(await claimIds(store, daily)).toEqual([ids[0], whole[0]]);
    expect(await claimIds(store, daily)).toEqual([]);
    const loose = both({ limit: 100, perMs: 60_000, isKeyed: false });
    expect(await claimIds(store, loose)).toEqual([ids[1], ids[2], whole[1], whole[2]]);
  });

  test('of one key does not hold up lines of another key', async ({ world }) => {
    const { store } = await world.store();
    const eu = [];
    for (const limitKey of ['t1', 't2', 't3']) eu.push(await enqueue(store, { limitKey, throttleKey: 'eu' }));
    const us = await enqueue(store, { limitKey: 't4', throttleKey: 'us' });
    const regional = limits({ perKey: 1, throttle: { limit: 1, perMs: HOUR_MS, isKeyed: true } });
    expect(await claimIds(store, { limit: 1, ...regional })).toEqual([eu[0]]);
    expect(await claimIds(store, { limit: 1, ...regional })).toEqual([us]);
    expect(await claimIds(store, { limit: 1, ...regional })).toEqual([]);
    // Nor runs of another key in the same line.
    const mixed = await enqueue(store, { limitKey: 't2', throttleKey: 'asia' });
    expect(await claimIds(store, { limit: 1, ...regional })).toEqual([mixed]);
    await end(store, mixed);
    await (await world.tools()).ageThrottles(HOUR_MS + 1_000);
    expect(await claimIds(store, { limit: 2, ...regional })).toEqual([eu[1]]);
    expect(await claimIds(store, { limit: 2, ...regional })).toEqual([]);
  });

  test('throttles runs that were triggered before the job had it', async ({ world }) => {
    const { store } = await world.store();
    const ids = await many(store, 3);
    expect(await claimIds(store, { limit: 10, ...limits({ throttle: slow }) })).toEqual([ids[0], ids[1]]);
    expect(await claimIds(store, { limit: 10, ...limits({ throttle: slow }) })).toEqual([]);
  });
});
