import { expect } from 'vitest';
import type { Store } from '../../../src/core/store.ts';
import type { JobLimits } from '../../../src/core/triggers/limits.ts';
import { contract } from '../../support/contract.ts';
import { append, claim, claimIds, completed, enqueue, entry, failed, STALE_MS } from '../requests.ts';

const HOUR_MS = 3_600_000;

function limits(given: Partial<JobLimits>): { limits: JobLimits[] } {
  return {
    limits: [
      {
        jobName: 'job',
        limit: undefined,
        perKey: undefined,
        whileWaiting: 'release',
        throttle: undefined,
        ...given,
      },
    ],
  };
}

async function end(store: Store, runId: string, fence = 1) {
  expect(await append(store, { runId, fence }, [completed()])).toBe('stored');
}

async function many(store: Store, count: number, given: Parameters<typeof enqueue>[1] = {}) {
  const ids = [];
  for (let i = 0; i < count; i++) ids.push(await enqueue(store, given));
  return ids;
}

contract('a limit of a job', (test) => {
  test('lets only so many of its runs be executed at once, in order', async ({ world }) => {
    const { store } = await world.store();
    const two = limits({ limit: 2 });
    const [first = '', second, third, fourth] = await many(store, 4);
    expect(await claimIds(store, { limit: 10, ...two })).toEqual([first, second]);
    expect(await claimIds(store, { limit: 10, ...two })).toEqual([]);
    await end(store, first);
    expect(await claimIds(store, { limit: 10, ...two })).toEqual([third]);
    expect(await claimIds(store, { limit: 10, ...limits({ limit: 3 }) })).toEqual([fourth]);
  });

  test('does not count the runs of other jobs, and leaves them alone', async ({ world }) => {
    const { store } = await world.store();
    const [first] = await many(store, 2);
    const others = await many(store, 3, { jobName: 'other' });
    const jobNames = ['job', 'other'];
    expect(await claimIds(store, { jobNames, limit: 10, ...limits({ limit: 1 }) })).toEqual([
      first,
      ...others,
    ]);
  });

  test('is that of the claiming process: a claim without it takes all', async ({ world }) => {
    const { store } = await world.store();
    const ids = await many(store, 3);
    await claimIds(store, { limit: 10, jobNames: ['other'], ...limits({ limit: 1 }) });
    expect(await claimIds(store, { limit: 10 })).toEqual(ids);
  });

  test('counts a run whose worker vanished until another claim takes it over', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const one = limits({ limit: 1 });
    const [first = '', second] = await many(store, 2);
    expect(await claimIds(store, one)).toEqual([first]);
    await tools.ageHeartbeat(first, STALE_MS + 1_000);
    expect(await claimIds(store, { limit: 10, ...one })).toEqual([first]);
    await end(store, first, 2);
    expect(await claimIds(store, { limit: 10, ...one })).toEqual([second]);
  });
});

contract('a limit by key', (test) => {
  test('lets only so many runs of a key be executed at once, and does not hold up other keys', async ({
    world,
  }) => {
    const { store } = await world.store();
    const two = limits({ perKey: 2 });
    const a = await many(store, 4, { limitKey: 'a' });
    const b = await many(store, 3, { limitKey: 'b' });
    const free = await many(store, 1);
    expect(await claimIds(store, { limit: 10, ...two })).toEqual([a[0], a[1], b[0], b[1], free[0]]);
    expect(await claimIds(store, { limit: 10, ...two })).toEqual([]);
    await end(store, b[0] ?? '');
    expect(await claimIds(store, { limit: 10, ...two })).toEqual([b[2]]);
    await end(store, a[0] ?? '');
    await end(store, a[1] ?? '');
    expect(await claimIds(store, { limit: 10, ...two })).toEqual([a[2], a[3]]);
  });

  test('and the limit of the job both hold', async ({ world }) => {
    const { store } = await world.store();
    const both = limits({ limit: 3, perKey: 2 });
    const a = await many(store, 3, { limitKey: 'a' });
    const b = await many(store, 3, { limitKey: 'b' });
    expect(await claimIds(store, { limit: 10, ...both })).toEqual([a[0], a[1], b[0]]);
    await end(store, a[0] ?? '');
    expect(await claimIds(store, { limit: 10, ...both })).toEqual([a[2]]);
    await end(store, a[1] ?? '');
    expect(await claimIds(store, { limit: 10, ...both })).toEqual([b[1]]);
  });

  test('takes higher priorities first', async ({ world }) => {
    const { store } = await world.store();
    const one = limits({ perKey: 1 });
    const low = await enqueue(store, { limitKey: 'a' });
    const high = await enqueue(store, { limitKey: 'a', priority: 1 });
    const other = await enqueue(store, { limitKey: 'b', priority: 2 });
    expect(await claimIds(store, { limit: 10, ...one })).toEqual([other, high]);
    await end(store, high);
    expect(await claimIds(store, { limit: 10, ...one })).toEqual([low]);
  });

  test('counts by the claim: one with a higher limit takes more, one without takes all', async ({
    world,
  }) => {
    const { store } = await world.store();
    const ids = await many(store, 5, { limitKey: 'a' });
    expect(await claimIds(store, { limit: 10, ...limits({ perKey: 1 }) })).toEqual([ids[0]]);
    expect(await claimIds(store, { limit: 10, ...limits({ perKey: 3 }) })).toEqual([ids[1], ids[2]]);
    expect(await claimIds(store, { limit: 10, ...limits({ perKey: 2 }) })).toEqual([]);
    expect(await claimIds(store, { limit: 10 })).toEqual([ids[3], ids[4]]);
  });

  test('holds for runs with a concurrency key, which another key does not hold up', async ({ world }) => {
    const { store } = await world.store();
    const two = limits({ perKey: 2 });
    const first = await enqueue(store, { limitKey: 'a', concurrencyKey: 'x' });
    const second = await enqueue(store, { limitKey: 'a', concurrencyKey: 'x' });
    const third = await enqueue(store, { limitKey: 'a', concurrencyKey: 'y' });
    const fourth = await enqueue(store, { limitKey: 'a' });
    expect(await claimIds(store, { limit: 10, ...two })).toEqual([first, third]);
    await end(store, third);
    expect(await claimIds(store, { limit: 10, ...two })).toEqual([fourth]);
    await end(store, first);
    expect(await claimIds(store, { limit: 10, ...two })).toEqual([second]);
  });

  test.for(['cancel', 'fail', 'hand back', 'delete'] as const)(
    'has room again after a %s',
    async (how, { world }) => {
      const { store } = await world.store();
      const one = limits({ perKey: 1 });
      const [first = '', second] = await many(store, 2, { limitKey: 'a' });
      expect(await claimIds(store, one)).toEqual([first]);
      if (how === 'cancel' || how === 'delete') await store.command('cancel', first);
      if (how === 'delete') await store.command('delete', first);
      if (how === 'fail') await append(store, { runId: first, fence: 1 }, [failed()]);
      if (how === 'hand back') await store.handBack([{ runId: first, fence: 1 }]);
      expect(await claimIds(store, { limit: 10, ...one })).toEqual([how === 'hand back' ? first : second]);
    },
  );

  test('holds after a retry by hand', async ({ world }) => {
    const { store } = await world.store();
    const one = limits({ perKey: 1 });
    const [first = '', second = ''] = await many(store, 2, { limitKey: 'a' });
    await claimIds(store, one);
    await append(store, { runId: first, fence: 1 }, [failed()]);
    await store.command('retry', first);
    expect(await claimIds(store, { limit: 10, ...one })).toEqual([first]);
    await end(store, first, 2);
    expect(await claimIds(store, { limit: 10, ...one })).toEqual([second]);
  });

  test('is told apart by the whole key, which may be empty', async ({ world }) => {
    const { store } = await world.store();
    const one = limits({ perKey: 1 });
    const [first] = await many(store, 2, { limitKey: '' });
    const [second] = await many(store, 2, { limitKey: '=' });
    expect(await claimIds(store, { limit: 10, ...one })).toEqual([first, second]);
  });
});

const WAIT = (until: number, stepName = 'rest') =>
  entry({
    type: 'run:wait',
    data: JSON.stringify({
      dueAt: until,
      waits: [{ kind: 'sleep', stepName, until: new Date(until).toISOString() }],
    }),
  });

contract('a waiting run', (test) => {
  test('gives its places and its concurrency key to others', async ({ world }) => {
    const { store } = await world.store();
    const one = limits({ limit: 1, perKey: 1 });
    const [first = '', second] = await many(store, 2, { limitKey: 'a', concurrencyKey: 'x' });
    expect(await claimIds(store, one)).toEqual([first]);
    await append(store, { runId: first, fence: 1 }, [WAIT(Date.now() + HOUR_MS)]);
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
    await append(store, { runId: first, fence: 1 }, [WAIT(Date.now() - 1)]);
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
    await append(store, { runId: first, fence: 1 }, [WAIT(Date.now() - 1)]);
    const urgent = await enqueue(store, { concurrencyKey: 'x', priority: 9 });
    const { store: other } = await world.store();
    expect(await claimIds(other, { limit: 10 })).toEqual([first]);
    await append(other, { runId: first, fence: 2 }, [failed()]);
    expect(await claimIds(other, { limit: 10 })).toEqual([urgent]);
  });
});

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
    await append(store, { runId: first, fence: 1 }, [WAIT(Date.now() - 1)]);
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

contract('a paused job', (test) => {
  test('is not claimed until it is resumed, and does not hold up others', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const jobNames = ['job', 'other'];
    const [lost = ''] = await many(store, 1);
    expect(await claimIds(store, { jobNames })).toEqual([lost]);
    await store.setPaused('job', true);
    await store.setPaused('job', true);
    await tools.ageHeartbeat(lost, STALE_MS + 1_000);
    const [keyed = ''] = await many(store, 1, { concurrencyKey: 'x' });
    const [other] = await many(store, 1, { jobName: 'other', concurrencyKey: 'x' });
    expect(await store.listPausedJobs()).toEqual(['job']);
    expect(await claimIds(store, { jobNames, limit: 10 })).toEqual([other]);
    expect(await claimIds(store, { jobNames, limit: 10, ...limits({ limit: 5 }) })).toEqual([]);
    await end(store, other ?? '');
    await store.setPaused('job', false);
    const { runs } = await claim(store, { jobNames, limit: 10 });
    expect(runs.map(({ runId }) => runId)).toEqual([lost, keyed]);
    expect(await store.listPausedJobs()).toEqual([]);
  });
});
