import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { claim, claimIds, STALE_MS } from '../requests.ts';
import { end, limits, many } from './limited.ts';

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
