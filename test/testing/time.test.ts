import { performance } from 'node:perf_hooks';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../src/index.ts';
import { createTestDurably } from '../../src/testing.ts';

const nothing = z.object({});
const START = '2030-01-01T00:00:00.000Z';

it('passes a sleep of a day at once', async () => {
  const nap = defineJob({
    name: 'nap',
    input: nothing,
    run: async (step) => {
      await step.sleep('night', '1d');
      return 'awake';
    },
  });
  const t = await createTestDurably({ jobs: { nap }, now: START });
  const run = await t.run(nap, {});
  expect(run).toMatchObject({ status: 'completed', output: 'awake', createdAt: START, attempt: 1 });
  expect(run.completedAt).toBe('2030-01-02T00:00:00.000Z');
  expect(t.now().toISOString()).toBe('2030-01-02T00:00:00.000Z');
  await t.stop();
});

it('passes the pauses between the tries of a step', async () => {
  let tries = 0;
  const flaky = defineJob({
    name: 'flaky',
    input: nothing,
    run: async (step) =>
      await step.run('call', { retries: { limit: 3, delay: '1h' } }, () => {
        tries++;
        if (tries < 3) throw new Error('not yet');
        return tries;
      }),
  });
  const t = await createTestDurably({ jobs: { flaky }, now: START });
  expect(await t.run(flaky, {})).toMatchObject({ status: 'completed', output: 3 });
  expect(t.now().getTime()).toBeGreaterThan(Date.parse(START) + 3_600_000);
  await t.stop();
});
