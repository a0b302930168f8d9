import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { append, claimIds, enqueue, failed, STALE_MS } from '../requests.ts';
import { end, limits, many } from './limited.ts';

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
