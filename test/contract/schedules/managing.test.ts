import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob, type ScheduleRequest } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { idle } from '../../support/idle.ts';
import { echo } from '../../support/jobs.ts';
import { ISO_MS, rejectionOf } from '../../support/runs.ts';
import { until } from '../../support/until.ts';

const HOUR_MS = 3_600_000;
const hourly = { id: 'hourly', jobName: 'echo', every: '1h' } as const;

contract('a schedule that is put', (test) => {
  test('is shown with all that it says and its next five slots', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    const stored = await durably.schedule({
      id: 'nightly',
      jobName: 'echo',
      input: { n: 1 },
      cron: '30 2 * * *',
      timezone: 'Europe/Berlin',
      missed: 'once',
      overlap: 'skip',
      startAt: '2090-01-01T00:00:00Z',
      endAt: new Date('2090-01-04T00:00:00Z'),
      labels: { org: '7' },
      priority: 5,
    });
    expect(stored).toEqual({
      id: 'nightly',
      jobName: 'echo',
      input: { n: 1 },
      cron: '30 2 * * *',
      every: null,
      timezone: 'Europe/Berlin',
      missed: 'once',
      overlap: 'skip',
      startAt: '2090-01-01T00:00:00.000Z',
      endAt: '2090-01-04T00:00:00.000Z',
      labels: { org: '7' },
      priority: 5,
      isPaused: false,
      isFixed: false,
      createdAt: expect.stringMatching(ISO_MS),
      updatedAt: expect.stringMatching(ISO_MS),
      next: ['2090-01-01T01:30:00.000Z', '2090-01-02T01:30:00.000Z', '2090-01-03T01:30:00.000Z'],
    });
    await durably.schedule(hourly);
    const [first, second] = await durably.getSchedules();
    expect(second).toEqual(stored);
    expect(first).toMatchObject({ id: 'hourly', cron: null, every: HOUR_MS, timezone: 'UTC', input: {} });
    const begin = Date.parse(first?.createdAt ?? '');
    const hours = first?.next.map((slot) => Math.round((Date.parse(slot) - begin) / HOUR_MS));
    expect(hours).toEqual([1, 2, 3, 4, 5]);
  });

  test('again changes nothing, and keeps the places of its slots', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    const first = await durably.schedule(hourly);
    await (await world.tools()).ageSchedules(HOUR_MS / 2);
    const [aged] = await durably.getSchedules();
    expect(aged?.next).not.toEqual(first.next);
    expect(await durably.schedule(hourly)).toEqual(aged);
    // So does one that says something else about its runs.
    expect((await durably.schedule({ ...hourly, input: 5, overlap: 'skip' })).next).toEqual(aged?.next);
  });

  test('again is not refused when its startAt is over', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    const startAt = new Date(Date.now() + 1_500);
    await durably.schedule({ ...hourly, startAt });
    await until(() => Date.now() > startAt.getTime() + 5);
    await durably.schedule({ ...hourly, startAt });
    await expect(durably.schedule({ ...hourly, every: '2h', startAt })).rejects.toThrow(
      'startAt must not be over',
    );
  });

  test('with another timing fires nothing that is over', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    await durably.schedule({ ...hourly, missed: 'all' });
    await (await world.tools()).ageSchedules(5 * HOUR_MS);
    await durably.schedule({ ...hourly, cron: '0 0 1 1 *', every: undefined, missed: 'all' });
    expect(await durably.processUntilIdle()).toBe(0);
    expect(await durably.getRuns()).toEqual([]);
  });

  test('has its input parsed by the schema of the job', async ({ world }) => {
    const { durably } = await world.idle();
    const dated = defineJob({
      name: 'dated',
      input: z.object({ day: z.coerce.date(), n: z.number().default(7) }),
      run: (_, payload) => payload,
    });
    durably.register({ dated });
    const request = { id: 'd', jobName: 'dated', cron: '@daily', input: { day: '2026-01-01' } };
    expect((await durably.schedule(request)).input).toEqual({ day: '2026-01-01T00:00:00.000Z', n: 7 });
    const error = await rejectionOf(durably.schedule({ ...request, input: { day: 'x' } }));
    expect(error).toMatchObject({ code: 'VALIDATION' });
    expect(error.message).toContain('day');
  });

  test('is refused with the member and the value', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    const refusals: [Partial<ScheduleRequest>, string][] = [
      [{ id: '' }, 'id must have 1 to 256 characters, not ""'],
      [{ id: 5 as never }, 'id must be a string, not 5'],
      [{ jobName: 'eco' }, 'Job not found: eco; did you mean "echo"?'],
      [{ jobName: undefined as never }, 'jobName must be the name of a job, not undefined'],
      [{ every: '10ms' }, 'every must be at least \'1s\', not "10ms"'],
      [{ cron: '@daily' }, 'cron "@daily" does not go with every "1h"'],
      [{ priority: 5_000 }, 'priority must be a whole number from -1000 to 1000, not 5000'],
      [{ labels: { a: 5 } as never }, 'labels.a must be one string of at most 256 characters'],
      [{ startAt: '2020-01-01T00:00:00Z' }, 'startAt must not be over, but 2020-01-01T00:00:00.000Z is'],
      [{ tz: 'UTC' } as never, 'Unknown schedule member "tz"'],
    ];
    for (const [given, message] of refusals) {
      expect((await rejectionOf(durably.schedule({ ...hourly, ...given }))).message).toContain(message);
    }
    expect(await durably.getSchedules()).toEqual([]);
  });

  test('is deleted, and its runs stay', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 25 });
    durably.register({ echo });
    await durably.schedule(hourly);
    const tools = await world.tools();
    await tools.ageSchedules(HOUR_MS);
    await until(async () => (await durably.getRuns({ status: 'completed' })).length === 1);
    await durably.deleteSchedule('hourly');
    expect(await durably.getSchedules()).toEqual([]);
    expect(await durably.getRuns({ scheduleId: 'hourly' })).toHaveLength(1);
    for (const name of ['deleteSchedule', 'pauseSchedule', 'resumeSchedule', 'fireSchedule'] as const) {
      expect(await rejectionOf(durably[name]('hourly'))).toMatchObject({
        code: 'NOT_FOUND',
        message: 'Schedule not found',
      });
    }
  });
});

contract('a paused schedule', (test) => {
  test('fires nothing, and goes on with the next slot when it is resumed', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 25 });
    durably.register({ echo });
    await durably.schedule({ ...hourly, missed: 'all' });
    await durably.pauseSchedule('hourly');
    expect(await durably.getSchedules()).toMatchObject([{ isPaused: true }]);
    const tools = await world.tools();
    await tools.ageSchedules(3 * HOUR_MS);
    // It stays paused when it is put again.
    await durably.schedule({ ...hourly, missed: 'all', input: 2 });
    await durably.resumeSchedule('hourly');
    await durably.resumeSchedule('hourly');
    await idle();
    expect(await durably.getRuns()).toEqual([]);
    await tools.ageSchedules(HOUR_MS);
    await until(async () => (await durably.getRuns({ status: 'completed' })).length === 1);
    await idle();
    expect(await durably.getRuns()).toHaveLength(1);
  });

  test('is fired by hand, as is one whose earlier run is active', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    const { next } = await durably.schedule({ ...hourly, overlap: 'skip' });
    await durably.pauseSchedule('hourly');
    const first = await durably.fireSchedule('hourly');
    const second = await durably.fireSchedule('hourly');
    expect(first).toMatchObject({ status: 'pending', scheduleId: 'hourly', scheduledFor: null, payload: {} });
    expect(await durably.processUntilIdle()).toBe(2);
    expect((await durably.getRuns({ scheduleId: 'hourly' })).map(({ id }) => id)).toEqual([
      second.id,
      first.id,
    ]);
    expect((await durably.getSchedules())[0]?.next).toEqual(next);
  });
});
