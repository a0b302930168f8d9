import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { nextEvent, recordEvents, startRun, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

contract('init, start and stop', (test) => {
  test('init migrates and starts the worker', async ({ world }) => {
    const { durably } = await world.instance();
    const handle = durably.register({ echo }).echo;
    await durably.init();
    const run = await handle.trigger('x');
    expect((await untilStatus(durably, run.id, 'completed')).output).toBe('x');
    expect(await durably.health()).toEqual({ database: true, worker: true });
  });

  test('init sends nothing when it is called again', async ({ world }) => {
    const { durably, statements } = await world.start({ clock: new FakeClock() });
    await idle();
    const before = statements.length;
    await Promise.all([durably.init(), durably.init()]);
    await durably.init();
    await idle();
    expect(statements.length).toBe(before);
  });

  test('migrate alone runs nothing', async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.idle({ clock });
    const run = await durably.register({ echo }).echo.trigger(1);
    const before = statements.length;
    clock.advance(60_000);
    await idle();
    expect(statements.length).toBe(before);
    durably.start();
    await untilStatus(durably, run.id, 'completed');
  });

  test('start does nothing when the worker is started', async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.start({ clock });
    durably.register({ echo });
    await idle();
    const before = statements.length;
    durably.start();
    durably.start();
    await idle();
    expect(statements.length).toBe(before);
  });

  test('a stopped worker claims nothing until it is started again', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock });
    const handle = durably.register({ echo }).echo;
    await durably.stop();
    expect((await durably.health()).worker).toBe(false);
    const run = await handle.trigger(1);
    clock.advance(60_000);
    await idle();
    expect((await durably.getRun(run.id))?.status).toBe('pending');
    durably.start();
    await untilStatus(durably, run.id, 'completed');
    await durably.stop();
    await durably.init();
    await untilStatus(durably, (await handle.trigger(2)).id, 'completed');
  });

  test('stop waits for the running run and claims no others', async ({ world }) => {
    const gate = deferred();
    const { durably } = await world.start();
    const { held } = durably.register({ held: job('held', (step) => step.run('wait', () => gate.promise)) });
    const started = nextEvent(durably, 'run:start');
    const [first, second] = await held.batchTrigger([1, 2]);
    await started;
    let isStopped = false;
    const stopped = durably.stop().then(() => {
      isStopped = true;
    });
    await idle();
    expect(isStopped).toBe(false);
    gate.resolve();
    await stopped;
    expect((await durably.getRun(first?.id ?? ''))?.status).toBe('completed');
    expect((await durably.getRun(second?.id ?? ''))?.status).toBe('pending');
  });

  test('stop resolves if nothing runs, also twice, also before a start', async ({ world }) => {
    const { durably } = await world.idle();
    await durably.stop();
    durably.start();
    await Promise.all([durably.stop(), durably.stop(), durably.stop({ timeoutMs: 1 })]);
    await durably.stop();
    expect((await durably.health()).worker).toBe(false);
  });

  test('start during a stop takes effect after it', async ({ world }) => {
    const gate = deferred();
    const { durably } = await world.start();
    const { held } = durably.register({ held: job('held', () => gate.promise) });
    await startRun(durably, held, 1);
    const stopped = durably.stop();
    durably.start();
    const next = await held.trigger(2);
    gate.resolve();
    await stopped;
    await untilStatus(durably, next.id, 'completed');
  });

  test('the last of several start and stop calls decides', async ({ world }) => {
    const gate = deferred();
    const { durably } = await world.start();
    const { held } = durably.register({ held: job('held', () => gate.promise) });
    await startRun(durably, held, 1);
    const first = durably.stop();
    durably.start();
    const last = durably.stop();
    gate.resolve();
    await Promise.all([first, last]);
    await idle();
    expect((await durably.health()).worker).toBe(false);
  });

  test('stop stores telemetry that has not been flushed yet', async ({ world }) => {
    const gate = deferred();
    const { durably } = await world.start({ clock: new FakeClock() });
    const { noisy } = durably.register({
      noisy: job('noisy', async (step) => {
        step.log.info('before');
        await gate.promise;
        step.log.info('after');
      }),
    });
    const run = await startRun(durably, noisy, 1);
    const stopped = durably.stop();
    gate.resolve();
    await stopped;
    const lines = await durably.getLogs({ runId: run.id });
    expect(lines.map(({ message }) => message)).toEqual(['before', 'after']);
  });
});

contract('looking for work', (test) => {
  test('claims a triggered run at once, without waiting for the poll', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    const handle = durably.register({ echo }).echo;
    await idle();
    for (const input of [1, 2]) await untilStatus(durably, (await handle.trigger(input)).id, 'completed');
  });

  test('claims a retried run at once', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    let isBroken = true;
    const { flaky } = durably.register({
      flaky: job('flaky', () => {
        if (isBroken) throw new Error('broken');
      }),
    });
    const run = await flaky.trigger(1);
    await untilStatus(durably, run.id, 'failed');
    isBroken = false;
    await durably.retry(run.id);
    await untilStatus(durably, run.id, 'completed');
  });

  test('claims the next run as soon as a slot is free, in insertion order', async ({ world }) => {
    const { durably } = await world.idle({ clock: new FakeClock() });
    const handle = durably.register({ echo }).echo;
    const runs = await handle.batchTrigger(Array.from({ length: 30 }, (_, i) => i));
    const events = recordEvents(durably, ['run:start']);
    durably.start();
    await untilStatus(durably, runs.at(-1)?.id ?? '', 'completed');
    expect(events.map((event) => 'runId' in event && event.runId)).toEqual(runs.map(({ id }) => id));
  });

  test.for([1, 3])(
    'executes %i run(s) at a time, no more and no fewer',
    async (maxConcurrentRuns, { world }) => {
      const { durably } = await world.idle({ maxConcurrentRuns });
      let running = 0;
      let most = 0;
      const gates = Array.from({ length: 7 }, () => deferred());
      const { held } = durably.register({
        held: job('held', async (_step, index) => {
          most = Math.max(most, ++running);
          await gates[index as number]?.promise;
          running--;
        }),
      });
      const runs = await held.batchTrigger(gates.map((_, i) => i));
      durably.start();
      await until(() => running === maxConcurrentRuns);
      for (const gate of gates) {
        gate.resolve();
        await idle();
      }
      await Promise.all(runs.map(({ id }) => untilStatus(durably, id, 'completed')));
      expect(most).toBe(maxConcurrentRuns);
    },
  );

  test("finds another process's run when an idle worker's polling interval is over", async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.start({ clock, pollingInterval: 700 });
    durably.register({ echo });
    await idle();
    const { durably: other } = await world.idle();
    const run = await other.register({ echo }).echo.trigger(1);
    const before = statements.length;
    clock.advance(699);
    await idle();
    expect(statements.length).toBe(before);
    clock.advance(1);
    await untilStatus(other, run.id, 'completed');
  });

  test('claims only runs of jobs that are registered here', async ({ world }) => {
    const { durably: other } = await world.idle();
    const foreign = await other.register({ foreign: job('foreign', () => 'done') }).foreign.trigger(1);
    const { durably } = await world.start({ pollingInterval: 5 });
    const own = await durably.register({ echo }).echo.trigger(2);
    await untilStatus(durably, own.id, 'completed');
    expect((await durably.getRun(foreign.id))?.status).toBe('pending');
    other.start();
    await untilStatus(durably, foreign.id, 'completed');
  });

  test('executes each run once with several workers on one database', async ({ world }) => {
    const executed: unknown[] = [];
    const count = job('count', (_step, n) => void executed.push(n));
    const workers = await Promise.all(
      [1, 2, 3].map(() => world.start({ maxConcurrentRuns: 4, pollingInterval: 5 })),
    );
    const [first] = workers.map(({ durably }) => durably.register({ count }).count);
    const runs = await first?.batchTrigger(Array.from({ length: 60 }, (_, i) => i));
    const durably = workers[0]?.durably;
    if (!durably || !runs) throw new Error('no worker');
    await until(async () => (await durably.getRuns({ status: 'completed' })).length === runs.length);
    expect(executed.toSorted((a, b) => Number(a) - Number(b))).toEqual(runs.map((_, i) => i));
  });
});
