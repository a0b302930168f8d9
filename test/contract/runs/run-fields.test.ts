import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { ISO_MS, nextEvent, startRun, untilStatus } from '../../support/runs.ts';
import { deferred } from '../../support/until.ts';

contract("a run's fields", (test) => {
  test('follow it from pending to completed', async ({ world }) => {
    const { durably } = await world.start();
    const gates = [deferred(), deferred()];
    const { staged } = durably.register({
      staged: job('staged', async (step) => {
        await step.run('first', () => gates[0]?.promise);
        step.progress(1, 2, 'half way');
        await step.run('second', () => gates[1]?.promise);
        return { done: true };
      }),
    });
    const pending = await startRun(durably, staged, 'in');
    const running = await durably.getRun(pending.id);
    expect(running).toMatchObject({
      status: 'running',
      attempt: 1,
      currentStepIndex: 0,
      completedAt: null,
      output: null,
    });
    expect(running?.startedAt).toMatch(ISO_MS);
    expect(running?.heartbeatAt).toBe(running?.startedAt);
    const stored = nextEvent(durably, 'step:complete');
    gates[0]?.resolve();
    await stored;
    const flushed = nextEvent(durably, 'run:progress');
    expect(await durably.getRun(pending.id)).toMatchObject({ currentStepIndex: 1, stepCount: 1 });
    await flushed;
    expect((await durably.getRun(pending.id))?.progress).toEqual({
      current: 1,
      total: 2,
      message: 'half way',
    });
    gates[1]?.resolve();
    const completed = await untilStatus(durably, pending.id, 'completed');
    expect(completed).toMatchObject({
      payload: 'in',
      stepCount: 2,
      currentStepIndex: 2,
      progress: { current: 1, total: 2, message: 'half way' },
      output: { done: true },
      error: null,
      attempt: 1,
      createdAt: pending.createdAt,
      startedAt: running?.startedAt,
    });
    expect(completed.completedAt).toMatch(ISO_MS);
    expect(completed.updatedAt).toBe(completed.completedAt);
    expect([completed.createdAt, completed.startedAt, completed.completedAt]).toEqual(
      [completed.createdAt, completed.startedAt, completed.completedAt].toSorted(),
    );
  });

  test('contain the error of a failed run', async ({ world }) => {
    const { durably } = await world.start();
    const { broken } = durably.register({
      broken: job('broken', () => {
        throw new Error('it broke');
      }),
    });
    const run = await untilStatus(durably, (await broken.trigger(1)).id, 'failed');
    expect(run).toMatchObject({ error: 'it broke', output: null, attempt: 1 });
    expect(run.completedAt).toMatch(ISO_MS);
  });

  test('contain no error for a cancelled run', async ({ world }) => {
    const { durably } = await world.idle();
    const run = await durably.register({ echo }).echo.trigger(1);
    await durably.cancel(run.id);
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'cancelled', error: null, startedAt: null });
    expect((await durably.getRun(run.id))?.completedAt).toMatch(ISO_MS);
  });

  test('contain the last progress that was reported', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    const { steady } = durably.register({
      steady: job('steady', (step) => {
        for (let i = 1; i <= 5; i++) step.progress(i, 5);
        step.progress(6);
      }),
    });
    const run = await untilStatus(durably, (await steady.trigger(1)).id, 'completed');
    expect(run.progress).toEqual({ current: 6 });
    await idle();
  });
});
