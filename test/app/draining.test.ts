import { expect, it } from 'vitest';
import { createDurablyApp } from '../../src/app/create-app.ts';
import { fakeDurably } from '../http/fake-durably.ts';

it('answers /tick with 503 while the service drains, and executes no run', async () => {
  const draining = new AbortController();
  let ticks = 0;
  const durably = fakeDurably({
    processUntilIdle: async () => {
      ticks++;
      return 0;
    },
  });
  const app = createDurablyApp(durably, { draining: draining.signal });
  const tick = () => app.request('/api/durably/tick', { method: 'POST' });
  expect((await tick()).status).toBe(200);
  draining.abort();
  const refused = await tick();
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('5');
  expect(await refused.json()).toMatchObject({ code: 'DRAINING' });
  expect(ticks).toBe(1);
});
