import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { recordEvents, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';
import type { World } from '../../support/world.ts';

const HOUR_MS = 3_600_000;
const hourly = { id: 'hourly', jobName: 'echo', every: '1h', input: { n: 1 } } as const;

contract('a schedule', (test) => {
  test('triggers a run for its slot, which tells both', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 25 });
    durably.register({ echo });
    const events = recordEvents(durably, ['run:trigger']);
    const stored = await durably.schedule({ ...hourly, labels: { org: '7' }, priority: 3 });
    await (await world.tools()).ageSchedules(HOUR_MS);
    const run = await until(async () => (await durably.getRuns({ scheduleId: 'hourly' }))[0]);
    expect(await untilStatus(durably, run.id, 'completed')).toMatchObject({
      jobName: 'echo',
      payload: { n: 1 },
      output: { n: 1 },
      labels: { org: '7' },
      scheduleId: 'hourly',
      scheduledFor: new Date(Date.parse(stored.next[0] ?? '') - HOUR_MS).toISOString(),
    });
    expect(events.map((event) => 'runId' in event && event.runId)).toEqual([run.id]);
    await idle();
    expect(await durably.getRuns()).toHaveLength(1);
  });

  test('is fired by the timer of the process that knows it, between two polls', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock, pollingInterval: HOUR_MS });
    durably.register({ echo });
    await durably.schedule({ ...hourly, every: '30m' });
    await idle();
    // The database's clock goes on as usual, the process's is moved.
    await (await world.tools()).ageSchedules(30 * 60_000 + 1_000);
    clock.advance(30 * 60_000);
    await until(async () => (await durably.getRuns({ status: 'completed' })).length === 1);
  });

  test('is not fired early by a process whose clock runs ahead', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock, pollingInterval: 1_000_000 });
    durably.register({ echo });
    await durably.schedule({ ...hourly, every: '20m' });
    await idle();
    for (let i = 0; i < 50; i++) {
      clock.advance(60_000);
      await idle();
    }
    expect(await durably.getRuns()).toEqual([]);
  });

  test('gets one run for each slot in two processes', async ({ world }) => {
    const instances = await Promise.all([1, 2].map(() => world.start({ pollingInterval: 25 })));
    for (const { durably } of instances) durably.register({ echo });
    const [{ durably } = { durably: undefined }] = instances;
    if (durably === undefined) throw new Error('no instance');
    await durably.schedule({ ...hourly, missed: 'all' });
    const tools = await world.tools();
    for (let slots = 1; slots <= 20; slots++) {
      await tools.ageSchedules(HOUR_MS);
      await until(async () => (await durably.getRuns()).length >= slots);
    }
    for (const { durably: each } of instances) await each.stop();
    const runs = await durably.getRuns();
    expect(runs).toHaveLength(20);
  });

  test('is fired by a worker whose slots are all taken', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 25, maxConcurrentRuns: 1 });
    const gate = deferred();
    const { held } = durably.register({ echo, held: job('held', () => gate.promise) });
    await untilStatus(durably, (await held.trigger(0)).id, 'running');
    // Another process stores it.
    const { durably: other } = await world.idle();
    other.register({ echo });
    await other.schedule(hourly);
    await (await world.tools()).ageSchedules(HOUR_MS);
    await until(
      async () => (await durably.getRuns({ scheduleId: 'hourly', status: 'pending' })).length === 1,
    );
    gate.resolve();
    await until(
      async () => (await durably.getRuns({ scheduleId: 'hourly', status: 'completed' })).length === 1,
    );
  });

  test('is fired by work on demand, which executes the run', async ({ world }) => {
    const { durably } = await world.idle({ worker: 'on-demand' });
    durably.register({ echo });
    await durably.schedule(hourly);
    expect(await durably.processUntilIdle()).toBe(0);
    await (await world.tools()).ageSchedules(HOUR_MS);
    expect(await durably.processUntilIdle()).toBe(1);
    expect(await durably.getRuns({ status: 'completed' })).toHaveLength(1);
    await (await world.tools()).ageSchedules(HOUR_MS);
    expect(await durably.processOne()).toBe(true);
    expect(await durably.processUntilIdle()).toBe(0);
  });

  test('of an unknown job is left to a process that knows it', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 25 });
    const { durably: other } = await world.start({ pollingInterval: 25 });
    other.register({ other: job('other', () => 1) });
    durably.register({ echo });
    await durably.schedule(hourly);
    await durably.stop();
    await (await world.tools()).ageSchedules(HOUR_MS);
    await idle();
    expect(await other.getRuns()).toEqual([]);
    other.register({ echo });
    await until(async () => (await other.getRuns({ status: 'completed' })).length === 1);
  });

  test('goes on after the database refused a run, when it takes runs again', async ({ world, skip }) => {
    skip(world.isEncoded, 'the database refuses a payload');
    const { durably } = await world.start({ pollingInterval: 25 });
    const errors = recordEvents(durably, ['worker:error']);
    durably.register({ echo });
    await durably.schedule(hourly);
    const tools = await world.tools();
    const takeRuns = await tools.refuseRuns('{"n":1}');
    await tools.ageSchedules(HOUR_MS);
    await until(() => errors.length >= 2);
    expect(errors).toMatchObject(errors.map(() => ({ context: 'schedule' })));
    expect(await durably.getRuns()).toEqual([]);
    await takeRuns();
    await until(async () => (await durably.getRuns({ status: 'completed' })).length === 1);
  });
});

contract('slots that were missed', (test) => {
  const start = async (world: World) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    return durably;
  };

  test('get no run, one, or all of them, as the schedule says', async ({ world }) => {
    const durably = await start(world);
    for (const missed of ['skip', 'once', 'all'] as const) {
      await durably.schedule({ ...hourly, id: missed, missed });
    }
    // The last slot came 30 minutes ago.
    await (await world.tools()).ageSchedules(5 * HOUR_MS + HOUR_MS / 2);
    await durably.init();
    await until(async () => (await durably.getRuns({ status: 'completed' })).length === 6);
    await idle();
    expect(await durably.getRuns({ scheduleId: 'skip' })).toEqual([]);
    const once = await durably.getRuns({ scheduleId: 'once' });
    const all = await durably.getRuns({ scheduleId: 'all' });
    expect(once).toHaveLength(1);
    expect(all).toHaveLength(5);
    const times = all.map(({ scheduledFor }) => Date.parse(scheduledFor ?? ''));
    expect(times.slice(1).map((time, i) => (times[i] ?? 0) - time)).toEqual(
      times.slice(1).map(() => HOUR_MS),
    );
    expect(Date.now() - (times[0] ?? 0)).toBeLessThan(HOUR_MS);
    expect(Math.abs(Date.parse(once[0]?.scheduledFor ?? '') - (times[0] ?? 0))).toBeLessThan(60_000);
  });

  test('are at most 1,000, the latest ones', async ({ world }) => {
    const durably = await start(world);
    await durably.schedule({ ...hourly, every: '1m', missed: 'all' });
    await (await world.tools()).ageSchedules(24 * HOUR_MS);
    await durably.processOne();
    const runs = await durably.getRuns({ scheduleId: 'hourly', limit: 1_000, fields: ['scheduledFor'] });
    expect(runs).toHaveLength(1_000);
    expect(Date.now() - Date.parse(runs[0]?.scheduledFor ?? '')).toBeLessThan(2 * 60_000);
    expect(await durably.getRuns({ scheduleId: 'hourly', offset: 1_000 })).toEqual([]);
  });

  test('are made up for by one run if earlier runs are skipped or cancelled', async ({ world }) => {
    const durably = await start(world);
    for (const overlap of ['skip', 'cancel'] as const) {
      await durably.schedule({ ...hourly, id: overlap, missed: 'all', overlap });
    }
    await (await world.tools()).ageSchedules(5 * HOUR_MS);
    await durably.processUntilIdle();
    expect(await durably.getRuns({ scheduleId: 'skip' })).toHaveLength(1);
    expect(await durably.getRuns({ scheduleId: 'cancel' })).toHaveLength(1);
  });
});

contract('a slot while an earlier run is active', (test) => {
  test('cancels that run, whose steps abort', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 25, maxConcurrentRuns: 2 });
    const aborted: string[] = [];
    const endless = defineJob({
      name: 'endless',
      input: z.object({}),
      run: (step) =>
        step.run('wait', (signal) => {
          return new Promise((_, reject) => {
            signal.addEventListener('abort', () => {
              aborted.push(String(signal.reason.name));
              reject(signal.reason);
            });
          });
        }),
    });
    durably.register({ endless });
    await durably.schedule({ id: 's', jobName: 'endless', every: '1h', overlap: 'cancel' });
    const tools = await world.tools();
    await tools.ageSchedules(HOUR_MS);
    const first = await until(async () => (await durably.getRuns({ status: 'running' }))[0]);
    await tools.ageSchedules(HOUR_MS);
    await untilStatus(durably, first.id, 'cancelled');
    await until(() => aborted.length === 1);
    expect(aborted).toEqual(['RunCancelledError']);
    await until(async () => (await durably.getRuns({ status: 'running' })).length === 1);
  });
});
