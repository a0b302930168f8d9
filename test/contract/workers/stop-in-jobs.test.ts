import { expect } from 'vitest';
import { LeaseLostError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { nextEvent, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

contract('stop inside a job', (test) => {
  test.for([
    { how: 'in a step', timeoutMs: undefined },
    { how: 'in a step, with a time', timeoutMs: 1 },
  ])('$how does not wait for its own run, which continues to its end', async ({ timeoutMs }, { world }) => {
    const { durably } = await world.start();
    const { last } = durably.register({
      last: job('last', async (step) => {
        const stopped = await step.run('stop', async () => {
          await durably.stop({ timeoutMs });
          return 'stopped';
        });
        return await step.run('after', () => stopped);
      }),
    });
    const { id } = await last.trigger(0);
    expect((await untilStatus(durably, id, 'completed')).output).toBe('stopped');
    await durably.stop();
    expect((await durably.health()).worker).toBe(false);
  });

  test('waits for the other runs, or hands them back', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 2 });
    const gate = deferred();
    const order: string[] = [];
    const { held, stopping } = durably.register({
      held: job('held', () => gate.promise.then(() => void order.push('held'))),
      stopping: job('stopping', async () => {
        const stopped = durably.stop();
        gate.resolve();
        await stopped;
        order.push('stopped');
      }),
    });
    const heldStarted = nextEvent(durably, 'run:start');
    await held.trigger(0);
    await heldStarted;
    const { id } = await stopping.trigger(0);
    await untilStatus(durably, id, 'completed');
    expect(order).toEqual(['held', 'stopped']);
  });

  test('ends if several runs call it, or a run that another run waits for', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 4 });
    const allStarted = deferred();
    let started = 0;
    const { stopping } = durably.register({
      stopping: job('stopping', async () => {
        if (++started === 3) allStarted.resolve();
        await allStarted.promise;
        await durably.stop();
      }),
    });
    const { parent } = durably.register({ parent: job('parent', () => stopping.triggerAndWait(0)) });
    const runs = [await parent.trigger(0), await stopping.trigger(0), await stopping.trigger(0)];
    for (const { id } of runs) await untilStatus(durably, id, 'completed');
  });

  test("waits for all runs if an event handler calls it, also for a run's own event", async ({ world }) => {
    const { durably } = await world.start();
    const order: string[] = [];
    const stopped = new Promise<void>((resolve) => {
      durably.on('step:complete', async () => {
        await durably.stop();
        order.push('stopped');
        resolve();
      });
    });
    const { once } = durably.register({
      once: job('once', async (step) => {
        await step.run('step', () => 1);
        order.push('job');
      }),
    });
    const { id } = await once.trigger(0);
    await stopped;
    expect(order).toEqual(['job', 'stopped']);
    expect((await durably.getRun(id))?.status).toBe('completed');
  });

  test('hands back a run that waits for a run that will not start any more', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 2, pollingInterval: 5 });
    const errors: unknown[] = [];
    const gate = deferred();
    const { blocker, later } = durably.register({
      blocker: job('blocker', () => gate.promise),
      later: echo,
    });
    const { parent } = durably.register({
      parent: job('parent', async () => {
        const waiting = later.triggerAndWait(0);
        waiting.catch((error) => errors.push(error));
        return await waiting;
      }),
    });
    await blocker.trigger(0);
    const held = await parent.trigger(0);
    await until(async () => (await later.getRuns()).length === 1);
    gate.resolve();
    await durably.stop();
    expect((await durably.getRun(held.id))?.status).toBe('pending');
    expect(errors).toEqual([expect.any(LeaseLostError)]);
  });
});
