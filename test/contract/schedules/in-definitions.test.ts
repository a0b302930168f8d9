import { expect } from 'vitest';
import { z } from 'zod';
import type { DurablyPlugin } from '../../../src/index.ts';
import { defineJob } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { databaseError, failStatements } from '../../support/dialects/intercepted-dialect.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { recordEvents, rejectionOf } from '../../support/runs.ts';
import { until } from '../../support/until.ts';

const HOUR_MS = 3_600_000;

async function passUntil(clock: FakeClock, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let seconds = 0; !(await condition()); seconds++) {
    if (seconds > 600) throw new Error('the awaited state has not come');
    clock.advance(1_000);
    await idle();
  }
}

contract('the schedule in the definition of a job', (test) => {
  const fixed = (given: object = {}, version = 1) =>
    defineJob({
      name: 'fixed',
      input: z.object({ n: z.number() }),
      version,
      schedule: { every: '1h', input: { n: 1 }, ...given },
      run: (_, { n }) => n,
    });

  /** The input of its schedule is refused. */
  const bad = {
    ...job('bad', () => 1),
    input: z.object({ n: z.number() }),
    schedule: { every: '1h' },
  } as const;

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
    durably.register({ bad, fixed: fixed({ startAt: '2020-01-01T00:30:00Z' }) });
    const stored = await until(async () => (await durably.getSchedules())[0]);
    expect(stored.next[0]).toMatch(/:30:00.000Z$/);
    expect(errors).toMatchObject([{ context: 'schedule', error: expect.stringContaining('job bad') }]);
  });

  /** A plugin that can't encode for a while. */
  const away = () => {
    const state = { isAway: true };
    const plugin: DurablyPlugin = {
      name: 'vault',
      encode(text) {
        if (state.isAway) throw new Error('the vault is away');
        return text;
      },
      decode: (text) => text,
    };
    return { state, plugin };
  };

  test('is stored later if that is not possible now, and does not keep others from being stored', async ({
    world,
  }) => {
    const clock = new FakeClock();
    const { state, plugin } = away();
    const { durably } = await world.start({ clock, use: [plugin], pollingInterval: 1_000 });
    const errors = recordEvents(durably, ['worker:error']);
    durably.register({ fixed: fixed(), bad });
    await idle();
    const contexts = () => errors.map((event) => event.type === 'worker:error' && event.context);
    expect(contexts()).toEqual(['schedule', 'schedule']);
    clock.advance(1_000);
    await idle();
    // What is refused is not tried again.
    expect(errors.slice(2)).toMatchObject([{ error: expect.stringContaining('the vault is away') }]);
    state.isAway = false;
    clock.advance(1_999);
    await idle();
    expect(await durably.getSchedules()).toEqual([]);
    clock.advance(1);
    await idle();
    expect(await durably.getSchedules()).toMatchObject([{ id: 'fixed' }]);
    clock.advance(60_000);
    await idle();
    expect(errors).toHaveLength(3);
  });

  test('is stored once the database is there again', async ({ world }) => {
    const clock = new FakeClock();
    let isAway = true;
    const { durably } = await world.start({
      clock,
      pollingInterval: 1_000,
      wrap: (dialect) =>
        failStatements(dialect, ({ sql }) =>
          isAway && sql.includes('durably_schedules') ? databaseError('SQLITE_CANTOPEN') : undefined,
        ),
    });
    const errors = recordEvents(durably, ['worker:error']);
    durably.register({ fixed: fixed() });
    await passUntil(
      clock,
      () => errors.filter((event) => 'context' in event && event.context === 'schedule').length > 2,
    );
    isAway = false;
    await passUntil(clock, async () => (await durably.getSchedules()).length === 1);
  });

  test('that cannot be stored now does not keep a worker on demand from its work', async ({ world }) => {
    const { state, plugin } = away();
    const { durably } = await world.idle({ worker: 'on-demand', use: [plugin] });
    const errors = recordEvents(durably, ['worker:error']);
    state.isAway = false;
    durably.register({ echo });
    await durably.trigger({ jobName: 'echo', input: 1 });
    state.isAway = true;
    durably.register({ fixed: fixed() });
    expect(await durably.processUntilIdle()).toBe(1);
    expect(errors).toMatchObject([{ context: 'schedule' }]);
    expect(await durably.getSchedules()).toEqual([]);
    state.isAway = false;
    await durably.processUntilIdle();
    expect(await durably.getSchedules()).toMatchObject([{ id: 'fixed' }]);
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
