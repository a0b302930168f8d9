import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { rejectionOf, untilStatus } from '../../support/runs.ts';

const greet = defineJob({
  name: 'greet',
  input: z.object({ name: z.string(), times: z.number().default(1) }),
  output: z.object({ text: z.string() }),
  version: 3,
  retries: { limit: 2 },
  timeout: '2h',
  run: (_, { name }) => ({ text: name }),
});
const dated = defineJob({
  name: 'dated',
  input: z.object({ at: z.date().or(z.string()) }),
  output: z.string().transform((text) => text.length),
  run: () => 'x',
});
const none = { pending: 0, waiting: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };

contract('getJobs', (test) => {
  test('shows the registered jobs by name, with their schemas and limits', async ({ world }) => {
    const { durably } = await world.idle();
    expect(await durably.getJobs()).toEqual([]);
    durably.register({ greet, dated });
    const [first, second] = await durably.getJobs();
    expect(first).toEqual({
      name: 'dated',
      // A Date can't be expressed.
      input: null,
      output: null,
      version: 1,
      limits: { retries: 0, timeout: null, concurrency: null, throttle: null },
      paused: false,
      schedules: [],
      counts: none,
    });
    expect(second).toMatchObject({
      name: 'greet',
      input: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
      output: { type: 'object', required: ['text'] },
      version: 3,
      limits: { retries: 2, timeout: '2h', concurrency: null, throttle: null },
      paused: false,
      schedules: [],
      counts: none,
    });
    expect(await durably.getJobs({ jobName: 'greet' })).toEqual([second]);
    expect(await durably.getJobs({ jobName: [] })).toEqual([]);
    expect(await durably.getJobs({ counts: false })).toMatchObject([{ counts: null }, { counts: null }]);
    expect(await durably.getJobs({ schedules: false })).toMatchObject([
      { schedules: null },
      { schedules: null },
    ]);
  });

  test('shows the limits of a job, and whether it is paused', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({
      limited: defineJob({
        name: 'limited',
        input: z.string(),
        concurrency: { limit: 5, perKey: 2, key: (input) => input, whileWaiting: 'hold' },
        throttle: { limit: 30, per: '1m' },
        run: () => 1,
      }),
    });
    await durably.pauseJob('limited');
    expect(await durably.getJobs({ counts: false })).toMatchObject([
      {
        limits: {
          concurrency: { limit: 5, perKey: 2, whileWaiting: 'hold' },
          throttle: { limit: 30, per: 60_000, keyed: false },
        },
        paused: true,
      },
    ]);
    await durably.resumeJob('limited');
    expect(await durably.getJobs()).toMatchObject([{ paused: false }]);
  });

  test('shows the schedules of a job, the first hundred by id', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ greet, dated });
    for (let i = 0; i < 101; i++) {
      const id = `g${String(i).padStart(3, '0')}`;
      await durably.schedule({ id, jobName: 'greet', input: { name: 'Ada' }, cron: '30 2 * * *' });
    }
    await durably.schedule({ id: 'often', jobName: 'dated', input: { at: 'now' }, every: '5m' });
    await durably.pauseSchedule('often');
    const [first, second] = await durably.getJobs();
    const all = await durably.getSchedules();
    expect(first?.schedules).toEqual([
      {
        id: 'often',
        cron: null,
        every: 300_000,
        timezone: 'UTC',
        isPaused: true,
        isFixed: false,
        next: expect.any(String),
      },
    ]);
    expect(second?.schedules).toHaveLength(100);
    expect(second?.schedules?.[99]).toMatchObject({ id: 'g099', cron: '30 2 * * *', next: all[99]?.next[0] });
    expect(await durably.getJobs({ jobName: 'dated' })).toEqual([first]);
  });

  test('counts the runs of each status', async ({ world }) => {
    const { durably } = await world.start();
    durably.register({ greet, dated });
    const { id } = await durably.trigger({ jobName: 'greet', input: { name: 'Ada' } });
    await durably.trigger({ jobName: 'greet', input: { name: 'Bob' }, delay: '1h' });
    const other = await durably.trigger({ jobName: 'dated', input: { at: 'now' }, delay: '1h' });
    await durably.cancel(other.id);
    await untilStatus(durably, id, 'completed');
    const countsOf = async () => (await durably.getJobs()).map(({ counts }) => counts);
    expect(await countsOf()).toEqual([
      { ...none, cancelled: 1 },
      { ...none, completed: 1, waiting: 1 },
    ]);
    await durably.deleteRuns({ all: true });
    expect(await countsOf()).toEqual([none, { ...none, waiting: 1 }]);
  });

  test.for([
    [{ jobNames: 'greet' }, /Unknown getJobs option "jobNames"; did you mean "jobName"/],
    [{ counts: 'no' }, /counts must be true or false, not "no"/],
    [{ schedules: 1 }, /schedules must be true or false, not 1/],
  ] as const)('refuses %j', async ([query, message], { world }) => {
    const { durably } = await world.idle();
    const error = await rejectionOf(durably.getJobs(query as never));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error.message).toMatch(message);
  });
});
