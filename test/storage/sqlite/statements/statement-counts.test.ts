import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { tripsOf } from '../../../support/dialects/recording-dialect.ts';
import { idle } from '../../../support/idle.ts';
import { echo, job } from '../../../support/jobs.ts';
import { nextEvent, untilEnded } from '../../../support/runs.ts';
import { deferred } from '../../../support/until.ts';
import { hasBatches, isRemote } from '../support/abilities.ts';
import { counted } from './counted.ts';

contract('statements', (test) => {
  test('a trigger takes one statement, with any keys and options', async ({ world }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    const { echo: handle } = durably.register({ echo });
    for (const options of [
      {},
      { idempotencyKey: 'i' },
      { concurrencyKey: 'c' },
      { idempotencyKey: 'i' },
      { concurrencyKey: 'c', priority: 1 },
      { ttl: '1h', timeout: '1h', delay: '1h' },
    ] as const) {
      expect(tripsOf(await during(() => handle.trigger({ a: 1 }, options)))).toBe(1);
    }
  });

  test('a batch of a hundred takes one statement', async ({ world }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    const { echo: handle } = durably.register({ echo });
    const inputs = Array.from({ length: 100 }, (_, i) => ({
      input: i,
      options: { idempotencyKey: `${i % 90}`, concurrencyKey: `${i % 7}` },
    }));
    expect(tripsOf(await during(() => handle.batchTrigger(inputs)))).toBe(1);
  });

  test('a hundred concurrent triggers take few statements', async ({ world }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    const { echo: handle } = durably.register({ echo });
    const made = await during(() => Promise.all(Array.from({ length: 100 }, (_, i) => handle.trigger(i))));
    expect(tripsOf(made)).toBeLessThanOrEqual(2);
  });

  test.for([0, 1, 5])(
    'a run of %i steps takes that many statements and two more, with its logs and progress',
    async (steps, { world }) => {
      const { during, durably } = await counted(world);
      const { stepped } = durably.register({
        stepped: job('stepped', async (step) => {
          step.log.info('begins');
          for (let i = 0; i < steps; i++) {
            await step.run(`step ${i}`, { sensitive: i % 2 === 1 }, async () => {
              step.log.info(`within ${i}`, { i });
              step.progress(i, steps);
              await idle();
            });
            step.progress(i + 1, steps, 'done');
          }
          step.log.warn('ends');
          return steps;
        }),
      });
      const made = await during(async () => {
        const ended = nextEvent(durably, 'run:complete');
        await stepped.trigger(0);
        await ended;
      });
      // The trigger, with the claim where there are batches, each step, the end.
      expect(tripsOf(made)).toBe(steps + (hasBatches(world) ? 2 : 3));
      expect(made.filter(({ sql }) => /\b(begin|commit|savepoint)\b/i.test(sql.slice(0, 40)))).toEqual([]);
    },
  );

  test('a run with a priority, a version and a time takes no more statements than another', async ({
    world,
  }) => {
    const { during, durably } = await counted(world);
    const { limited } = durably.register({
      limited: defineJob({
        name: 'limited',
        input: z.unknown(),
        version: 2,
        timeout: '2h',
        run: async (step) => {
          step.emit('begins');
          await step.run('one', () => step.emit('within'));
        },
      }),
    });
    const made = await during(async () => {
      const ended = nextEvent(durably, 'run:complete');
      await limited.trigger(0, { priority: 1, ttl: '1h' });
      await ended;
    });
    expect(tripsOf(made)).toBe(1 + (hasBatches(world) ? 2 : 3));
  });

  test('a sleep takes two statements more', async ({ world }) => {
    const { during, durably, clock } = await counted(world);
    const tools = await world.tools();
    const { naps } = durably.register({
      naps: job('naps', async (step) => {
        await step.run('before', () => 1);
        await step.sleep('rest', '1h');
        await step.run('after', () => 2);
      }),
    });
    const made = await during(async () => {
      const waits = nextEvent(durably, 'run:wait');
      const ended = nextEvent(durably, 'run:complete');
      const { id } = await naps.trigger(0);
      await waits;
      await tools.ageDue(id, 3_600_000);
      await idle();
      clock.advance(1_000);
      await ended;
    });
    // n + 2w + 2. Without batches the claim, the wake-up and the finished steps are statements of their own.
    expect(tripsOf(made)).toBe(2 + 2 + (hasBatches(world) ? 2 : 6));
  });

  test('a wait for a signal takes one statement more, and sending it one', async ({ world }) => {
    const { during, durably } = await counted(world);
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        await step.run('before', () => 1);
        await step.waitForSignal('answer');
        await step.run('after', () => 2);
      }),
    });
    const made = await during(async () => {
      const waits = nextEvent(durably, 'run:wait');
      const ended = nextEvent(durably, 'run:complete');
      const { id } = await asks.trigger(0);
      await waits;
      await idle();
      await durably.signal(id, 'answer', 1);
      await ended;
    });
    // n + w + 2, and the signal, with which the claim leaves. What the step took is stored with the next outcome.
    // Without batches the claims, and what is known of the run, are statements of their own.
    expect(tripsOf(made)).toBe(2 + 1 + 2 + 1 + (hasBatches(world) ? 0 : 7));
  });

  test('a run that a step invokes takes two statements more, besides its own', async ({ world }) => {
    const { during, durably } = await counted(world);
    const { parent } = durably.register({
      child: job('child', (step) => step.run('works', () => 1)),
      parent: job('parent', async (step) => {
        await step.run('before', () => 1);
        await step.invoke('child', 'child', null);
        await step.run('after', () => 2);
      }),
    });
    const made = await during(async () => {
      const { id } = await parent.trigger(0);
      await nextEvent(durably, 'run:complete', id);
    });
    // n + 2w + 2; of the child a step and its end, since its trigger leaves with the wait.
    expect(tripsOf(made)).toBe(2 + 2 + 2 + 2 + (hasBatches(world) ? 0 : 5));
  });

  test('a run that fails takes no more statements than one that completes', async ({ world }) => {
    const { during, durably } = await counted(world);
    const { failing } = durably.register({
      failing: job('failing', async (step) => {
        await step.run('one', () => 1);
        await step.run('two', () => Promise.reject(new Error('failed')));
      }),
    });
    const made = await during(async () => {
      const ended = nextEvent(durably, 'run:fail');
      await failing.trigger(0);
      await ended;
    });
    expect(tripsOf(made)).toBe(2 + (hasBatches(world) ? 2 : 3));
  });

  test('a retried run reads its finished steps once, however many there are', async ({ world }) => {
    const { during, durably } = await counted(world);
    let isBroken = true;
    const { flaky } = durably.register({
      flaky: job('flaky', async (step) => {
        for (let i = 0; i < 20; i++) await step.run(`step ${i}`, () => i);
        if (isBroken) throw new Error('broken');
      }),
    });
    const failed = nextEvent(durably, 'run:fail');
    const run = await flaky.trigger(0);
    await failed;
    isBroken = false;
    const made = await during(async () => {
      const ended = untilEnded(durably, run.id);
      await durably.retry(run.id);
      await ended;
    });
    // The retry, the claim, the steps, the end. Over a network the steps come with the claim.
    expect(tripsOf(made)).toBe(isRemote(world) ? 3 : 4);
  });

  test('concurrent runs share statements', async ({ world }) => {
    const { during, durably } = await counted(world, { maxConcurrentRuns: 10 });
    const { stepped } = durably.register({
      stepped: job('stepped', async (step) => {
        for (const name of ['a', 'b', 'c']) await step.run(name, () => name);
      }),
    });
    let ended = 0;
    const all = deferred();
    durably.on('run:complete', () => ++ended === 10 && all.resolve());
    const made = await during(async () => {
      await stepped.batchTrigger(Array.from({ length: 10 }, (_, i) => i));
      await all.promise;
    });
    // Separately they would take 51.
    expect(tripsOf(made)).toBeLessThanOrEqual(15);
  });

  test('cancel, retry and delete take one statement each', async ({ world }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    const run = await durably.register({ echo }).echo.trigger(0);
    expect(tripsOf(await during(() => durably.cancel(run.id)))).toBe(1);
    expect(tripsOf(await during(() => durably.retry(run.id)))).toBe(1);
    await durably.cancel(run.id);
    expect(tripsOf(await during(() => durably.deleteRun(run.id)))).toBe(1);
  });

  test('reads take one statement each', async ({ world }) => {
    const { during, durably } = await counted(world);
    const { stepped } = durably.register({
      stepped: job('stepped', (step) => step.run('one', () => step.log.info('line'))),
    });
    const ended = nextEvent(durably, 'run:complete');
    const { id } = await stepped.trigger(0);
    await ended;
    await idle();
    for (const read of [
      () => durably.getRun(id),
      () => durably.getRuns({ jobName: ['a', 'b'], status: ['failed', 'pending'] }),
      () => stepped.getRun(id),
      () => durably.getSteps(id),
      () => durably.getLogs({ runId: id }),
    ]) {
      expect(tripsOf(await during(read))).toBe(1);
    }
  });
});
