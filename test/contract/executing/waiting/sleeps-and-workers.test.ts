import { expect } from 'vitest';
import { contract } from '../../../support/contract.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { job } from '../../../support/jobs.ts';
import { journalTypes, nextEvent, untilStatus } from '../../../support/runs.ts';
import { deferred, until } from '../../../support/until.ts';
import { HOUR_MS } from './patient.ts';

contract('a step that sleeps', (test) => {
  test('frees the slot and the concurrency key', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5, maxConcurrentRuns: 1 });
    const { nap, quick } = durably.register({
      nap: job('nap', (step) => step.sleep('rest', '1h')),
      quick: job('quick', () => 'done'),
    });
    const sleeper = await nap.trigger(0, { concurrencyKey: 'key' });
    await untilStatus(durably, sleeper.id, 'waiting');
    const run = await quick.trigger(0, { concurrencyKey: 'key' });
    await untilStatus(durably, run.id, 'completed');
    expect((await durably.getRun(sleeper.id))?.status).toBe('waiting');
  });

  test('goes before younger runs of its key when it is woken', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5, maxConcurrentRuns: 1 });
    const tools = await world.tools();
    const order: unknown[] = [];
    const gate = deferred();
    const { nap, quick } = durably.register({
      nap: job('nap', async (step) => {
        await step.sleep('rest', '1h');
        order.push('nap');
      }),
      quick: job('quick', async (_step, input) => {
        order.push(input);
        if (input === 'first') await gate.promise;
      }),
    });
    const sleeper = await nap.trigger(0, { concurrencyKey: 'key' });
    await untilStatus(durably, sleeper.id, 'waiting');
    const first = await quick.trigger('first', { concurrencyKey: 'key' });
    const second = await quick.trigger('second', { concurrencyKey: 'key' });
    await untilStatus(durably, first.id, 'running');
    await tools.ageDue(sleeper.id, HOUR_MS);
    const { durably: other } = await world.instance({ pollingInterval: 5 });
    other.register({ nothing: job('nothing', () => 0) });
    other.start();
    await untilStatus(durably, sleeper.id, 'pending');
    gate.resolve();
    await untilStatus(durably, second.id, 'completed');
    expect(order).toEqual(['first', 'nap', 'second']);
  });

  test('survives the loss of the worker that was about to go on', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    let attempts = 0;
    const { nap } = durably.register({
      nap: job('nap', async (step) => {
        await step.sleep('rest', '1h');
        await step.run('work', () => attempts++);
      }),
    });
    const { id } = await nap.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await durably.stop();
    await tools.ageDue(id, HOUR_MS);
    const { durably: second } = await world.instance({ pollingInterval: 5 });
    second.register({ nap: job('nap', async (step) => void (await step.sleep('rest', '1h'))) });
    second.start();
    await untilStatus(second, id, 'completed');
    expect(attempts).toBe(0);
  });

  test('is found by work on demand once it is over, and not before', async ({ world }) => {
    const { durably } = await world.idle();
    const tools = await world.tools();
    const { nap } = durably.register({ nap: job('nap', (step) => step.sleep('rest', '1h')) });
    const { id } = await nap.trigger(0);
    expect(await durably.processUntilIdle()).toBe(1);
    expect(await durably.processUntilIdle()).toBe(0);
    await tools.ageDue(id, HOUR_MS);
    expect(await durably.processUntilIdle()).toBe(1);
    expect((await durably.getRun(id))?.status).toBe('completed');
  });

  test('does not hold up work on demand whose job waits for the sleeping run', async ({ world }) => {
    const { durably } = await world.idle({ maxConcurrentRuns: 2 });
    const { child } = durably.register({ child: job('child', (step) => step.sleep('rest', 1_000)) });
    const { parent } = durably.register({ parent: job('parent', () => child.triggerAndWait(0)) });
    const { id } = await parent.trigger(0);
    await durably.processUntilIdle();
    expect((await durably.getRun(id))?.status).toBe('completed');
  });

  test('does not keep a worker from stopping whose job waits for the sleeping run', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5, maxConcurrentRuns: 2 });
    const { child } = durably.register({ child: job('child', (step) => step.sleep('rest', '1h')) });
    const { parent } = durably.register({ parent: job('parent', () => child.triggerAndWait(0)) });
    const sleeps = nextEvent(durably, 'run:wait');
    const { id } = await parent.trigger(0);
    await sleeps;
    await durably.stop();
    expect((await durably.getRun(id))?.status).toBe('pending');
  });

  test('beside a wait for another run keeps the slot, and is the time limit of that wait', async ({
    world,
  }) => {
    const { durably } = await world.start({ pollingInterval: 5, maxConcurrentRuns: 2 });
    const gate = deferred();
    const { child } = durably.register({ child: job('child', () => gate.promise.then(() => 'child')) });
    const { parent } = durably.register({
      parent: job('parent', (step) =>
        Promise.race([child.triggerAndWait(0).then(({ output }) => output), step.sleep('limit', '1h')]),
      ),
    });
    const begun = nextEvent(durably, 'step:start');
    const { id } = await parent.trigger(0);
    await begun;
    await until(async () => (await child.getRuns()).length > 0);
    gate.resolve();
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: 'child' });
    expect(await child.getRuns()).toHaveLength(1);
    expect(await journalTypes(durably, id)).not.toContain('run:wait');
  });

  test('leaves no timer behind when the work on demand is over', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.idle({ clock });
    const { nap } = durably.register({ nap: job('nap', (step) => step.sleep('rest', '1h')) });
    await nap.trigger(0);
    await durably.processUntilIdle();
    await durably.stop({ final: true });
    expect(clock.pendingMs).toEqual([]);
  });
});
