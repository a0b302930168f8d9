import { expect, it } from 'vitest';
import { rejectionOf } from '../support/runs.ts';
import { startInProcess } from './service.ts';
import { StandIn } from './stand-in.ts';

it('the stats of no jobs are empty, as those of the instance', async () => {
  const { client, durably } = await startInProcess();
  await client.jobs.greet.triggerAndWait({ name: 'Ada' });
  const stats = await client.getStats({ jobName: [] });
  expect(stats).toEqual({ ...(await durably.getStats({ jobName: [] })), asOf: stats.asOf });
  expect(stats.total.started).toBe(0);
});

it('the events of no jobs are none, until the signal aborts', async () => {
  const service = new StandIn();
  const stop = new AbortController();
  const next = rejectionOf(service.client.events({ jobName: [], signal: stop.signal }).next());
  stop.abort(new Error('enough'));
  expect((await next).message).toBe('enough');
  expect(service.requests).toEqual([]);
});
