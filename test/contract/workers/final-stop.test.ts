import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { startRun, untilStatus } from '../../support/runs.ts';

contract('a final stop', (test) => {
  test('hands runs back, and the instance never claims them again', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const { held } = durably.register({ held: job('held', () => new Promise(() => undefined)) });
    const run = await startRun(durably, held, 1);
    expect(durably.countRunning()).toBe(1);
    const stopped = durably.stop({ timeoutMs: 1, final: true });
    durably.start();
    await durably.init();
    expect(await durably.processUntilIdle()).toBe(0);
    await stopped;
    expect(durably.countRunning()).toBe(0);
    durably.start();
    await durably.init();
    await held.trigger(2);
    expect(await durably.processUntilIdle()).toBe(0);
    expect(await durably.processOne()).toBe(false);
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'pending', attempt: 1 });
    expect((await durably.health()).worker).toBe(false);
  });

  test('shortens a stop that is in progress', async ({ world }) => {
    const { durably } = await world.start();
    const { held } = durably.register({ held: job('held', () => new Promise(() => undefined)) });
    const run = await startRun(durably, held, 1);
    const patient = durably.stop();
    await durably.stop({ timeoutMs: 1, final: true });
    await patient;
    await untilStatus(durably, run.id, 'pending');
  });
});
