import { expect } from 'vitest';
import type { WorkerInfo } from '../../../src/core/stats/worker-info.ts';
import { VERSION } from '../../../src/core/version.ts';
import type { Durably } from '../../../src/create-durably.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { ISO_MS, startRun } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';
import type { World } from '../../support/world.ts';

/** A started worker whose clock stands still. */
async function still(world: World, options: { pollingInterval?: number; maxConcurrentRuns?: number } = {}) {
  const clock = new FakeClock();
  const { durably } = await world.start({ clock, ...options });
  const pass = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      clock.advance(1_000);
      await idle();
    }
  };
  return { durably, pass };
}

/** Waits until so many workers are listed. */
async function untilListed(durably: Durably, count: number): Promise<WorkerInfo[]> {
  return await until(async () => {
    const listed = await durably.getWorkers();
    return listed.length === count ? listed : null;
  }, `${count} workers`);
}

contract('getWorkers', (test) => {
  test('lists the workers of all processes until they stop', async ({ world }) => {
    const gate = deferred();
    const one = await still(world, { maxConcurrentRuns: 3 });
    const other = await still(world);
    const { held } = one.durably.register({ held: job('held', () => gate.promise), echo });
    other.durably.register({ other: job('other', () => 1) });
    await startRun(one.durably, held, 1);
    for (const { pass } of [one, other]) await pass(3);
    const workers = await untilListed(one.durably, 2);
    const [first, second] = workers.sort((a, b) => b.slots.of - a.slots.of);
    expect(first).toEqual({
      instance: expect.stringMatching(/^worker_/),
      version: VERSION,
      slots: { inUse: 1, of: 3 },
      jobs: ['echo', 'held'],
      startedAt: expect.stringMatching(ISO_MS),
      lastSeenAt: expect.stringMatching(ISO_MS),
    });
    expect(second).toMatchObject({ slots: { inUse: 0, of: 1 }, jobs: ['other'] });
    gate.resolve();
    await other.durably.stop();
    expect(await one.durably.getWorkers()).toMatchObject([{ instance: first?.instance }]);
    await one.durably.stop();
    expect(await other.durably.getWorkers()).toEqual([]);
  });

  test('shows a worker again that has no free slot, and one that was started again as another', async ({
    world,
  }) => {
    const gate = deferred();
    const { durably, pass } = await still(world);
    const tools = await world.tools();
    const { held } = durably.register({ held: job('held', () => gate.promise) });
    await startRun(durably, held, 1);
    await pass(3);
    const [{ instance = '' } = {}] = await untilListed(durably, 1);
    await tools.ageWorker(instance, 600_000);
    const [aged] = await durably.getWorkers();
    await pass(21);
    await until(async () => {
      const [now] = await durably.getWorkers();
      return now !== undefined && aged !== undefined && now.lastSeenAt > aged.lastSeenAt;
    });
    gate.resolve();
    await durably.stop();
    durably.start();
    await pass(3);
    const [again] = await untilListed(durably, 1);
    expect(again?.instance).not.toBe(instance);
  });

  test('has one entry for all workers on demand, and those add new events to the stats', async ({
    world,
  }) => {
    const instances = await Promise.all([1, 2].map(() => world.idle({ worker: 'on-demand' })));
    for (const { durably } of instances) {
      durably.register({ echo });
      await durably.trigger({ jobName: 'echo', input: 1 });
      await durably.processUntilIdle();
    }
    const [one] = instances;
    expect(await one?.durably.getWorkers()).toMatchObject([{ instance: 'on-demand', jobs: ['echo'] }]);
    expect((await one?.durably.getStats())?.total).toMatchObject({ started: 2, completed: 2 });
  });

  test('says nothing of a worker that was not started', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    await durably.trigger({ jobName: 'echo', input: 1 });
    await durably.processOne();
    expect(await durably.getWorkers()).toEqual([]);
  });
});

contract('getOverview', (test) => {
  test('shows the line, what is at work, and the size of the database', async ({ world }) => {
    const gate = deferred();
    const { durably } = await world.start();
    const { held } = durably.register({ held: job('held', () => gate.promise) });
    await startRun(durably, held, 1);
    const waiting = await held.trigger(2);
    await held.trigger(3);
    await held.trigger(4, { delay: '1h' });
    const overview = await durably.getOverview();
    expect(overview).toMatchObject({
      runs: { pending: 2, waiting: 1, running: 1, completed: 0, failed: 0, cancelled: 0 },
      pendingSince: waiting.createdAt,
      at: expect.stringMatching(ISO_MS),
    });
    expect(overview.databaseBytes).toBeGreaterThan(0);
    gate.resolve();
    await until(async () => (await durably.getOverview()).runs.completed === 3);
    expect(await durably.getOverview()).toMatchObject({ pendingSince: null, runs: { pending: 0 } });
  });
});
