import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'vitest';
import { RunCancelledError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { journalTypes, rejectionOf, startRun, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

/** A job that waits in its first step for the signal and reports every later error. */
function stubborn() {
  const met = deferred<{ readonly first: Error; readonly second: Error; readonly reason: unknown }>();
  const inStep = deferred();
  const definition = job('stubborn', async (step) => {
    let reason: unknown;
    const first = await rejectionOf(
      step.run('wait', async (signal) => {
        inStep.resolve();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        reason = signal.reason;
        return 'a result';
      }),
    );
    step.log.info('too late');
    step.progress(99);
    const second = await rejectionOf(step.run('next', () => 'ran'));
    met.resolve({ first, second, reason });
    return 'too late';
  });
  return { definition, met, inStep };
}

contract('cancelling a running run', (test) => {
  test('aborts the signal at once in the same process, and stores no result', async ({ world }) => {
    // The clock stands still, so no heartbeat could report it.
    const { durably } = await world.start({ clock: new FakeClock() });
    const { definition, met, inStep } = stubborn();
    const run = await durably.register({ definition }).definition.trigger(0);
    await inStep.promise;
    await durably.cancel(run.id);
    const { first, second, reason } = await met.promise;
    for (const error of [first, second, reason]) expect(error).toBeInstanceOf(RunCancelledError);
    await idle();
    expect(await durably.getRun(run.id)).toMatchObject({
      status: 'cancelled',
      output: null,
      progress: null,
      stepCount: 0,
    });
    expect(await durably.getSteps(run.id)).toEqual([]);
    expect((await journalTypes(durably, run.id)).at(-1)).toBe('run:cancel');
  });

  test('does not let a job block the event loop by retrying a refused step', async ({ world }) => {
    const { durably } = await world.start();
    let tries = 0;
    let turns = 0;
    const inStep = deferred();
    const over = deferred();
    const { insistent } = durably.register({
      insistent: job('insistent', async (step) => {
        await step
          .run('wait', async (signal) => {
            inStep.resolve();
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
          })
          .catch(() => undefined);
        // Bounded, so that this test can fail.
        while (turns < 3 && tries < 10_000) {
          tries++;
          await step.run('again', () => 1).catch(() => undefined);
        }
        over.resolve();
      }),
    });
    const { id } = await insistent.trigger(0);
    await inStep.promise;
    const count = () => {
      if (++turns < 3) setImmediate(count);
    };
    await durably.cancel(id);
    setImmediate(count);
    await over.promise;
    expect([tries < 100, turns]).toEqual([true, 3]);
  });

  test('is noticed by another process with the next heartbeat', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock, heartbeatInterval: 1_000, pollingInterval: 60_000 });
    const { durably: other } = await world.idle();
    const { definition, met, inStep } = stubborn();
    const { definition: handle, echo: next } = durably.register({ definition, echo });
    const run = await handle.trigger(0);
    await inStep.promise;
    await other.cancel(run.id);
    const errors: string[] = [];
    durably.on('worker:error', ({ context }) => errors.push(context));
    clock.advance(1_000);
    await met.promise;
    // The slot is free again.
    await untilStatus(durably, (await next.trigger(1)).id, 'completed');
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'cancelled', output: null, stepCount: 0 });
    // The run was cancelled, not lost.
    expect(errors).toEqual([]);
  });

  test('is noticed by another process at the next step, at the latest', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    const { durably: other } = await world.idle();
    const gate = deferred();
    const calls: string[] = [];
    const { long } = durably.register({
      long: job('long', async (step) => {
        await step.run('one', () => gate.promise);
        await step.run('two', () => void calls.push('two'));
      }),
    });
    const run = await startRun(durably, long, 0);
    await other.cancel(run.id);
    gate.resolve();
    const after = durably.register({ echo }).echo;
    await untilStatus(durably, (await after.trigger(1)).id, 'completed');
    expect(calls).toEqual([]);
    expect(await durably.getSteps(run.id)).toEqual([]);
    expect((await durably.getRun(run.id))?.status).toBe('cancelled');
  });

  test('also stops a run that is just being claimed', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    const { durably: observer } = await world.idle();
    const handles = durably.register({ hangs: job('hangs', () => new Promise(() => undefined)), echo });
    for (let i = 0; i < 5; i++) {
      const run = await handles.hangs.trigger(0);
      // The database knows of the claim before the worker does.
      await until(async () => (await observer.getRun(run.id))?.status === 'running');
      await durably.cancel(run.id);
    }
    await untilStatus(durably, (await handles.echo.trigger(1)).id, 'completed');
  });

  test('discards a result that was not stored before the cancel, even if the job completed', async ({
    world,
  }) => {
    const { durably } = await world.start();
    const { durably: other } = await world.idle();
    const gate = deferred();
    const { quick } = durably.register({ quick: job('quick', () => gate.promise.then(() => 'output')) });
    const run = await startRun(durably, quick, 0);
    await other.cancel(run.id);
    gate.resolve();
    await untilStatus(durably, (await durably.register({ echo }).echo.trigger(1)).id, 'completed');
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'cancelled', output: null });
  });

  test('leaves a run that completes at the same time either completed or cancelled', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const { durably: other } = await world.idle();
    const handle = durably.register({ echo }).echo;
    for (let i = 0; i < 20; i++) {
      const run = await handle.trigger(i);
      // At a different moment each time.
      for (let turn = 0; turn < i % 5; turn++) await nextTurn();
      const cancelled = await other.cancel(run.id).then(
        () => true,
        () => false,
      );
      const ended = await until(async () => {
        const now = await other.getRun(run.id);
        return now?.completedAt ? now : null;
      });
      expect(ended.status).toBe(cancelled ? 'cancelled' : 'completed');
      expect(ended.output).toBe(cancelled ? null : i);
      const ends = (await journalTypes(other, run.id)).filter((type) =>
        /:(complete|cancel|fail)$/.test(type),
      );
      expect(ends).toHaveLength(1);
    }
  });

  test('lets a retried run proceed under a new attempt while its old execution still runs', async ({
    world,
  }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    const gate = deferred();
    let attempt = 0;
    const { twice } = durably.register({
      twice: job('twice', async (step) => {
        if (++attempt > 1) return await step.run('second', () => 'from the second');
        await gate.promise;
        await step.run('first', () => 'from the first');
        return 'from the first';
      }),
    });
    const run = await startRun(durably, twice, 0);
    await durably.cancel(run.id);
    await durably.retry(run.id);
    const done = await untilStatus(durably, run.id, 'completed');
    gate.resolve();
    await idle();
    expect(done).toMatchObject({ attempt: 2, output: 'from the second' });
    expect((await durably.getSteps(run.id)).map(({ name }) => name)).toEqual(['second']);
  });
});
