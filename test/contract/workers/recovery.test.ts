import { expect } from 'vitest';
import { LeaseLostError, type StepContext } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import {
  ageHeartbeat,
  journalTypes,
  recordEvents,
  rejectionOf,
  startRun,
  untilLooked,
  untilStatus,
} from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';
import type { World } from '../../support/world.ts';

const STALE_MS = 30_001;

/** A worker whose clock stands still, so that it sends no heartbeat and seems dead until the clock moves. */
async function frozenWorker(world: World, run: Parameters<typeof job>[1]) {
  const { durably } = await world.start({ clock: new FakeClock() });
  const { task } = durably.register({ task: job('task', run) });
  const { id } = await startRun(durably, task, 0);
  return { durably, id };
}

async function rescuer(world: World, run: Parameters<typeof job>[1]) {
  const instance = await world.instance({ pollingInterval: 25 });
  const { durably } = instance;
  durably.register({ task: job('task', run) });
  const events = recordEvents(durably);
  await durably.init();
  return { instance, durably, events };
}

contract('crash recovery', (test) => {
  test("takes over a run whose worker vanished before the database's clock was set back", async ({
    world,
  }) => {
    const lost = await frozenWorker(world, () => new Promise(() => undefined));
    const other = await frozenWorker(world, () => new Promise(() => undefined));
    const { instance, durably, events } = await rescuer(world, () => 'rescued');
    // When the database's clock goes back an hour, the heartbeat is in the future.
    await ageHeartbeat(durably, other.id, -20_000);
    await untilLooked(instance);
    expect(events).toEqual([]);
    await ageHeartbeat(durably, lost.id, -60 * 60 * 1000);
    const run = await untilStatus(durably, lost.id, 'completed');
    expect(run).toMatchObject({ attempt: 2, output: 'rescued' });
    expect((await durably.getRun(other.id))?.attempt).toBe(1);
  });

  test('takes over a stale run and does not repeat its finished steps', async ({ world }) => {
    const calls: string[] = [];
    const work = (who: string, last: Promise<void>) => async (step: StepContext) => {
      await step.run('one', () => void calls.push(`${who} one`));
      await step.run('two', async () => {
        calls.push(`${who} two`);
        await last;
      });
    };
    const lost = await frozenWorker(world, work('lost', new Promise(() => undefined)));
    await until(() => calls.length === 2);
    const { instance, durably, events } = await rescuer(world, work('rescuer', Promise.resolve()));
    await untilLooked(instance);
    expect(events).toEqual([]);
    await ageHeartbeat(durably, lost.id, STALE_MS);
    const run = await untilStatus(durably, lost.id, 'completed');
    expect(calls).toEqual(['lost one', 'lost two', 'rescuer two']);
    expect(run).toMatchObject({ attempt: 2, stepCount: 2 });
    expect(events[0]).toMatchObject({ type: 'run:start', attempt: 2, payload: 0 });
    expect((await journalTypes(durably, lost.id)).filter((type) => type === 'run:start')).toHaveLength(2);
  });

  test("refuses the old owner's writes and aborts its signal", async ({ world }) => {
    const gate = deferred();
    const met = deferred<readonly [Error, Error, AbortSignal]>();
    const lost = await frozenWorker(world, async (step) => {
      const first = await rejectionOf(step.run('contested', () => gate.promise.then(() => 'of the loser')));
      step.log.info('of the loser');
      met.resolve([first, await rejectionOf(step.run('next', () => 1)), step.signal]);
      return 'of the loser';
    });
    const errors = recordEvents(lost.durably, ['worker:error']);
    const { durably } = await rescuer(world, (step) => step.run('contested', () => 'of the rescuer'));
    await ageHeartbeat(durably, lost.id, STALE_MS);
    await untilStatus(durably, lost.id, 'completed');
    gate.resolve();
    const [first, second, signal] = await met.promise;
    for (const error of [first, second, signal.reason]) expect(error).toBeInstanceOf(LeaseLostError);
    await until(() => errors.length > 0);
    expect(errors).toMatchObject([{ type: 'worker:error', context: 'lease', runId: lost.id }]);
    expect(await durably.getRun(lost.id)).toMatchObject({ output: 'of the rescuer', attempt: 2 });
    expect(await durably.getSteps(lost.id)).toMatchObject([{ name: 'contested', output: 'of the rescuer' }]);
    expect(await durably.getLogs({ runId: lost.id })).toEqual([]);
    expect((await journalTypes(durably, lost.id)).at(-1)).toBe('run:complete');
  });

  test('stops the old owner at its next heartbeat, while the new owner runs', async ({ world }) => {
    const clock = new FakeClock();
    const { durably: loser } = await world.start({
      clock,
      heartbeatInterval: 1_000,
      pollingInterval: 100_000,
    });
    const aborted = deferred<unknown>();
    const { task, echo: next } = loser.register({
      task: job('task', (step) =>
        step.run('wait', async (signal) => {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          aborted.resolve(signal.reason);
        }),
      ),
      echo,
    });
    const { id } = await startRun(loser, task, 0);
    const gate = deferred();
    const { durably, events } = await rescuer(world, () => gate.promise);
    await ageHeartbeat(durably, id, STALE_MS);
    await until(() => events.some(({ type }) => type === 'run:start'));
    clock.advance(1_000);
    expect(await aborted.promise).toBeInstanceOf(LeaseLostError);
    // Its slot is free again.
    await untilStatus(loser, (await next.trigger(1)).id, 'completed');
    expect((await durably.getRun(id))?.status).toBe('running');
    gate.resolve();
    await untilStatus(durably, id, 'completed');
  });

  test('does not take over a long run whose worker sends heartbeats', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({
      clock,
      pollingInterval: 77_777,
      heartbeatInterval: 1_000,
      staleThreshold: 3_000,
      maxConcurrentRuns: 3,
    });
    const gate = deferred();
    const { task } = durably.register({ task: job('task', () => gate.promise) });
    const runs = await task.batchTrigger([1, 2, 3]);
    for (const { id } of runs) await untilStatus(durably, id, 'running');
    const other = await world.instance({ pollingInterval: 25, staleThreshold: 20_000 });
    other.durably.register({ task: job('task', () => 'stolen') });
    await other.durably.init();
    for (let beat = 0; beat < 4; beat++) {
      for (const { id } of runs) await ageHeartbeat(durably, id, 10_000);
      const aged = await Promise.all(runs.map(({ id }) => durably.getRun(id)));
      await until(() => clock.pendingMs.includes(1_000), 'the heartbeat to be due');
      clock.advance(1_000);
      await until(async () => {
        const now = await Promise.all(runs.map(({ id }) => durably.getRun(id)));
        return now.every(
          (run, i) => Date.parse(run?.heartbeatAt ?? '') >= Date.parse(aged[i]?.heartbeatAt ?? '') + 9_000,
        );
      }, 'a heartbeat of each run');
    }
    await untilLooked(other);
    gate.resolve();
    for (const { id } of runs)
      expect(await untilStatus(durably, id, 'completed')).toMatchObject({ attempt: 1, output: null });
  });

  test('does not take over a run that is not stale, or one of an unknown job', async ({ world }) => {
    const fresh = await frozenWorker(world, () => new Promise(() => undefined));
    const { instance, durably } = await rescuer(world, () => 'stolen');
    await ageHeartbeat(durably, fresh.id, 25_000);
    await untilLooked(instance);
    expect(await durably.getRun(fresh.id)).toMatchObject({ status: 'running', attempt: 1 });
    const other = await world.start({ pollingInterval: 25 });
    const { durably: stranger } = other;
    const probe = stranger.register({ echo }).echo;
    await durably.stop();
    await ageHeartbeat(durably, fresh.id, STALE_MS);
    await untilStatus(stranger, (await probe.trigger(1)).id, 'completed');
    await untilLooked(other);
    expect(await durably.getRun(fresh.id)).toMatchObject({ status: 'running', attempt: 1 });
  });

  test('stops the earlier execution when a worker takes a run over from itself', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock, maxConcurrentRuns: 2, heartbeatInterval: 20_000 });
    const signals: AbortSignal[] = [];
    const { task } = durably.register({
      task: job('task', async (step) => {
        signals.push(step.signal);
        if (signals.length === 1) await new Promise(() => undefined);
        return 'second';
      }),
    });
    const { id } = await startRun(durably, task, 0);
    // As after the machine's sleep, the poll comes before the heartbeat.
    await ageHeartbeat(durably, id, STALE_MS);
    clock.advance(1_000);
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ attempt: 2, output: 'second' });
    expect(signals[0]?.reason).toBeInstanceOf(LeaseLostError);
  });

  test("does not depend on the worker's own wall clock", async ({ world }) => {
    const fresh = await frozenWorker(world, () => new Promise(() => undefined));
    const clock = new FakeClock(Date.UTC(2100, 0, 1));
    const { durably } = await world.start({ clock });
    durably.register({ task: job('task', () => 'stolen') });
    clock.advance(1_000_000);
    await idle();
    expect(await durably.getRun(fresh.id)).toMatchObject({ status: 'running', attempt: 1 });
  });
});
