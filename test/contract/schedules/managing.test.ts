import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob, type ScheduleRequest } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { ISO_MS, recordEvents, rejectionOf } from '../../support/runs.ts';
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
    const startAt = new Date(Date.now() + 50);
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
      [{ id: '' }, 'id must have 1 to 256 characters, not 0'],
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

contract('the schedule in the definition of a job', (test) => {
  const fixed = (given: object = {}, version = 1) =>
    defineJob({
      name: 'fixed',
      input: z.object({ n: z.number() }),
      version,
      schedule: { every: '1h', input: { n: 1 }, ...given },
      run: (_, { n }) => n,
    });

  test('is stored when a worker starts, and fired', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 25 });
    durably.register({ fixed: fixed() });
    const stored = await until(async () => (await durably.getSchedules())[0]);
    expect(stored).toMatchObject({ id: 'fixed', jobName: 'fixed', isFixed: true, every: HOUR_MS });
    await (await world.tools()).ageSchedules(HOUR_MS);
    await until(
      async () => (await durably.getRuns({ scheduleId: 'fixed', status: 'completed' })).length === 1,
    );
  });

  test('is stored before work on demand, once for ten processes', async ({ world }) => {
    const instances = await Promise.all(
      Array.from({ length: 10 }, () => world.idle({ worker: 'on-demand' })),
    );
    for (const { durably } of instances) {
      durably.register({ fixed: fixed() });
    }
    const [first] = instances;
    await first?.durably.processUntilIdle();
    const [stored] = (await first?.durably.getSchedules()) ?? [];
    await Promise.all(instances.map(({ durably }) => durably.processUntilIdle()));
    const [after] = (await first?.durably.getSchedules()) ?? [];
    expect({ ...after, next: [] }).toEqual({ ...stored, next: [] });
  });

  test('is changed by callers in no way, but paused and fired', async ({ world }) => {
    const { durably } = await world.idle({ worker: 'on-demand' });
    durably.register({ fixed: fixed(), echo });
    await durably.processUntilIdle();
    const change = durably.schedule({ id: 'fixed', jobName: 'echo', every: '2h' });
    for (const call of [change, durably.deleteSchedule('fixed')]) {
      expect(await rejectionOf(call)).toMatchObject({
        code: 'CONFLICT',
        message: 'Schedule "fixed" is in the definition of its job, and changes only with that',
      });
    }
    await durably.pauseSchedule('fixed');
    await durably.fireSchedule('fixed');
    expect(await durably.processUntilIdle()).toBe(1);
    expect(await durably.getSchedules()).toMatchObject([{ isPaused: true, jobName: 'fixed' }]);
  });

  test('is changed by a new definition, and not back by one of an older version', async ({ world }) => {
    const put = async (definition: ReturnType<typeof fixed>) => {
      const { durably } = await world.idle({ worker: 'on-demand' });
      durably.register({ fixed: definition });
      await durably.processUntilIdle();
      return (await durably.getSchedules())[0];
    };
    expect(await put(fixed())).toMatchObject({ every: HOUR_MS });
    expect(await put(fixed({ every: '2h' }))).toMatchObject({ every: 2 * HOUR_MS });
    expect(await put(fixed({ every: '3h' }, 2))).toMatchObject({ every: 3 * HOUR_MS });
    expect(await put(fixed({ every: '4h' }, 1))).toMatchObject({ every: 3 * HOUR_MS });
  });

  test('is removed when its slot comes, once the definition has none', async ({ world }) => {
    const { durably } = await world.idle({ worker: 'on-demand' });
    durably.register({ fixed: fixed({}, 2) });
    await durably.processUntilIdle();
    const dropped = (version: number) => ({ ...fixed({}, version), schedule: undefined });
    const { durably: older } = await world.idle({ worker: 'on-demand' });
    older.register({ fixed: dropped(1) });
    const tools = await world.tools();
    await tools.ageSchedules(HOUR_MS);
    // An older version leaves it, and fires it.
    expect(await older.processUntilIdle()).toBe(1);
    await tools.ageSchedules(HOUR_MS);
    const { durably: newer } = await world.start({ pollingInterval: 25 });
    newer.register({ fixed: dropped(2) });
    await until(async () => (await newer.getSchedules()).length === 0);
    expect(await newer.getRuns()).toHaveLength(1);
  });

  test('may have begun in the past, and is reported if its input is refused', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 25 });
    const errors = recordEvents(durably, ['worker:error']);
    const bad = {
      ...job('bad', () => 1),
      input: z.object({ n: z.number() }),
      schedule: { every: '1h' },
    } as const;
    durably.register({ bad, fixed: fixed({ startAt: '2020-01-01T00:30:00Z' }) });
    const stored = await until(async () => (await durably.getSchedules())[0]);
    expect(stored.next[0]).toMatch(/:30:00.000Z$/);
    expect(errors).toMatchObject([{ context: 'schedule', error: expect.stringContaining('job bad') }]);
  });

  test('is refused when it is defined, with the member and the value', () => {
    expect(() => fixed({ cron: '* * *', every: undefined })).toThrow(
      'schedule.cron "* * *" is no cron expression',
    );
    expect(() => fixed({ timezone: 'Mars' })).toThrow(
      'schedule.timezone must be an IANA time zone such as Europe/Berlin, not "Mars"',
    );
    expect(() => fixed({ evry: 1 })).toThrow('Unknown member of schedule "evry"; did you mean "every"?');
  });
});
