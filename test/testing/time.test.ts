import { setTimeout as pause } from 'node:timers/promises';
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
      await step.run('call', { retries: { limit: 3, delay: '1h', maxDelay: '2h', jitter: false } }, () => {
        tries++;
        if (tries < 3) throw new Error('not yet');
        return tries;
      }),
  });
  const t = await createTestDurably({ jobs: { flaky }, now: START });
  expect(await t.run(flaky, {})).toMatchObject({ status: 'completed', output: 3 });
  expect(t.now().toISOString()).toBe('2030-01-01T03:00:00.000Z');
  await t.stop();
});

it('ends a wait for a signal that nobody sends at its timeout', async () => {
  const asking = defineJob({
    name: 'asking',
    input: nothing,
    run: async (step) => (await step.waitForSignal('answer', { timeout: '7d' })) ?? 'nobody',
  });
  const t = await createTestDurably({ jobs: { asking }, now: START });
  expect(await t.run(asking, {})).toMatchObject({
    output: 'nobody',
    completedAt: '2030-01-08T00:00:00.000Z',
  });
  await t.stop();
});

it('fails a run at its own timeout, and one that does not start within its ttl', async () => {
  const slow = defineJob({
    name: 'slow',
    input: nothing,
    timeout: '1h',
    run: async (step) => await step.sleep('too long', '2h'),
  });
  const t = await createTestDurably({ jobs: { slow }, now: START });
  const run = await t.run(slow, {});
  expect(run).toMatchObject({ status: 'failed', completedAt: '2030-01-01T01:00:00.000Z' });
  await t.durably.pauseJob('slow');
  expect(await t.run(slow, {}, { ttl: '5m' })).toMatchObject({ status: 'failed', startedAt: null });
  await t.stop();
});

it('starts a run at the time of its delay', async () => {
  const later = defineJob({ name: 'later', input: nothing, run: () => 'done' });
  const t = await createTestDurably({ jobs: { later }, now: START });
  expect(await t.run(later, {}, { delay: '3d' })).toMatchObject({ startedAt: '2030-01-04T00:00:00.000Z' });
  await t.stop();
});

it('lets no time pass while the function of a step takes real time', async () => {
  const reading = defineJob({
    name: 'reading',
    input: nothing,
    run: async (step) => await step.run('read', { timeout: '1s' }, async () => await pause(30, 'read')),
  });
  const t = await createTestDurably({ jobs: { reading }, now: START });
  expect(await t.run(reading, {})).toMatchObject({ status: 'completed', output: 'read', completedAt: START });
  await t.stop();
});

it('lets no time pass while a job does something outside of its steps', async () => {
  const reading = defineJob({ name: 'reading', input: nothing, timeout: '1s', run: () => pause(30, 'read') });
  const t = await createTestDurably({ jobs: { reading }, now: START });
  expect(await t.run(reading, {})).toMatchObject({ status: 'completed', output: 'read', completedAt: START });
  await t.stop();
});

it('times out a step that hangs when the test lets the time pass', async () => {
  const hanging = defineJob({
    name: 'hanging',
    input: nothing,
    run: async (step) =>
      await step.run('call', { timeout: '10s' }, () => new Promise<string>(() => undefined)),
  });
  const t = await createTestDurably({ jobs: { hanging }, now: START });
  const { id } = await t.jobs.hanging.trigger({});
  await t.advance('9s');
  expect(await t.durably.getRun(id)).toMatchObject({ status: 'running' });
  await t.advance('1s');
  expect(await t.durably.getRun(id)).toMatchObject({
    status: 'failed',
    completedAt: '2030-01-01T00:00:10.000Z',
  });
  await t.stop();
});

it('fires the slots of schedules in the order of their times', async () => {
  const started: string[] = [];
  const note = (name: string) => () => void started.push(`${name} ${t.now().toISOString().slice(5, 16)}`);
  const daily = defineJob({
    name: 'daily',
    input: nothing,
    schedule: { cron: '30 2 * * *', timezone: 'UTC', input: {} },
    run: note('daily'),
  });
  const often = defineJob({
    name: 'often',
    input: nothing,
    schedule: { every: '12h', input: {} },
    run: note('often'),
  });
  const t = await createTestDurably({ jobs: { daily, often }, now: START });
  await t.advance('2d');
  expect(started).toEqual([
    'daily 01-01T02:30',
    'often 01-01T12:00',
    'often 01-02T00:00',
    'daily 01-02T02:30',
    'often 01-02T12:00',
    'often 01-03T00:00',
  ]);
  await t.stop();
});

it('passes what belongs to other runs meanwhile, too', async () => {
  const ended: string[] = [];
  const sleeper = defineJob({
    name: 'sleeper',
    input: z.object({ hours: z.number() }),
    run: async (step, { hours }) => {
      await step.sleep('a while', hours * 3_600_000);
      ended.push(`${hours} ${t.now().toISOString().slice(11, 16)}`);
    },
  });
  const t = await createTestDurably({ jobs: { sleeper }, now: START });
  await t.jobs.sleeper.trigger({ hours: 1 });
  await t.jobs.sleeper.trigger({ hours: 3 });
  await t.run(sleeper, { hours: 2 });
  expect(ended).toEqual(['1 01:00', '2 02:00']);
  await t.stop();
});

it('keeps a run that waits waiting while another hangs', async () => {
  const two = defineJob({
    name: 'two',
    input: z.object({ kind: z.enum(['hang', 'sleep']) }),
    run: async (step, { kind }) => {
      if (kind === 'hang') await step.run('hang', () => new Promise(() => undefined));
      else await step.sleep('short', '10m');
    },
  });
  const t = await createTestDurably({ jobs: { two }, now: START });
  const { id } = await t.jobs.two.trigger({ kind: 'sleep' });
  await t.settle();
  t.mockStep('hang', 'hangs');
  await t.jobs.two.trigger({ kind: 'hang' });
  expect(await t.finish(id)).toMatchObject({ completedAt: '2030-01-01T00:10:00.000Z' });
  await t.stop();
});

it('executes a run that waits for the runs it has started', async () => {
  const child = defineJob({
    name: 'child',
    input: nothing,
    run: async (step) => {
      await step.sleep('a while', '2h');
      return 'child';
    },
  });
  const parent = defineJob({
    name: 'parent',
    input: nothing,
    run: async (step) => await step.invoke('ask', child, {}),
  });
  const t = await createTestDurably({ jobs: { child, parent }, now: START });
  expect(await t.run(parent, {})).toMatchObject({ output: 'child', completedAt: '2030-01-01T02:00:00.000Z' });
  await t.stop();
});

it('starts throttled runs one after the other', async () => {
  const slow = defineJob({
    name: 'slow',
    input: nothing,
    throttle: { limit: 1, per: '1h' },
    run: () => undefined,
  });
  const t = await createTestDurably({ jobs: { slow }, now: START });
  await t.jobs.slow.trigger({});
  await t.jobs.slow.trigger({});
  expect(await t.run(slow, {})).toMatchObject({ startedAt: '2030-01-01T02:00:00.000Z' });
  await t.stop();
});

it('says what a run waits for that does not come by itself', async () => {
  const asking = defineJob({ name: 'asking', input: nothing, run: (step) => step.waitForSignal('answer') });
  const t = await createTestDurably({ jobs: { asking } });
  await expect(t.run(asking, {})).rejects.toThrow(/waits for the signal "answer": send it with signal\(\)/);
  await t.stop();
});

it('takes less than a second for a hundred days of sleep', async () => {
  const long = defineJob({
    name: 'long',
    input: nothing,
    run: async (step) => {
      for (let day = 0; day < 100; day++) await step.sleep(`day ${day}`, '1d');
    },
  });
  const t = await createTestDurably({ jobs: { long }, now: START });
  expect(await t.run(long, {})).toMatchObject({ completedAt: '2030-04-11T00:00:00.000Z' });
  await t.stop();
});
