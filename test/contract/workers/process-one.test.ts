import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { tripsOf } from '../../support/dialects/recording-dialect.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { ageHeartbeat, rejectionOf, startRun } from '../../support/runs.ts';
import { atStep, gatedJob } from './gated-job.ts';

contract('processOne', (test) => {
  test('executes the oldest run and no other, without a started worker', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const [first, second] = await handle.batchTrigger(['a', 'b']);
    expect(await durably.processOne()).toBe(true);
    expect(await durably.getRun(first?.id ?? '')).toMatchObject({ status: 'completed', output: 'a' });
    await idle();
    expect((await durably.getRun(second?.id ?? ''))?.status).toBe('pending');
    expect((await durably.health()).worker).toBe(false);
    expect([await durably.processOne(), await durably.processOne()]).toEqual([true, false]);
  });

  test('takes over a run whose worker vanished', async ({ world }) => {
    const { durably: lost } = await world.start();
    const { held } = lost.register({ held: job('held', () => new Promise(() => undefined)) });
    const run = await startRun(lost, held, 1);
    const { durably } = await world.idle();
    durably.register({ held: job('held', () => 'taken over') });
    expect(await durably.processOne()).toBe(false);
    await ageHeartbeat(durably, run.id, 31_000);
    expect(await durably.processOne()).toBe(true);
    expect(await durably.getRun(run.id)).toMatchObject({ output: 'taken over', attempt: 2 });
  });

  test('takes one statement when idle, and seven for a run of five steps', async ({ world }) => {
    const { durably, statements } = await world.idle({ clock: new FakeClock() });
    const { gated, gates } = gatedJob();
    for (const gate of gates) gate.resolve();
    const during = async (work: () => Promise<unknown>) => {
      const before = statements.length;
      await work();
      return tripsOf(statements.slice(before));
    };
    expect(await during(() => durably.processOne())).toBe(0);
    const handle = durably.register({ gated }).gated;
    // Without batches, looking for waiting runs that are due, and for schedules, are statements of their own.
    const claim = world.backend.needsReconnect ? 3 : 1;
    expect(await during(() => durably.processOne())).toBe(claim);
    expect(await during(() => durably.processUntilIdle())).toBe(claim);
    await handle.trigger(1);
    expect(await during(() => durably.processOne())).toBe(claim + 6);
    await handle.trigger(1);
    expect(await during(() => durably.processUntilIdle({ maxRuns: 1 }))).toBe(claim + 6);
    await handle.trigger(1);
    // And the last claim, which finds nothing.
    expect(await during(() => durably.processUntilIdle())).toBe(claim + 6 + claim);
  });

  test('never exceeds maxConcurrentRuns when called twice at once', async ({ world }) => {
    const { durably } = await world.idle({ maxConcurrentRuns: 1 });
    let running = 0;
    let most = 0;
    const { counted } = durably.register({
      counted: job('counted', async () => {
        most = Math.max(most, ++running);
        await idle();
        running--;
      }),
    });
    await counted.batchTrigger([1, 2]);
    expect(await Promise.all([durably.processOne(), durably.processOne()])).toEqual([true, true]);
    expect(most).toBe(1);
    expect(await durably.getRuns({ status: 'completed' })).toHaveLength(2);
  });

  test('renews the lease while it works', async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.idle({ clock, heartbeatInterval: 1_000 });
    const { gated, gates } = gatedJob();
    await durably.register({ gated }).gated.trigger(1);
    const working = durably.processOne();
    const waiting = atStep(durably, 0);
    await waiting;
    await idle();
    const before = statements.length;
    clock.advance(1_000);
    await idle();
    expect(statements.slice(before).some(({ sql }) => /set heartbeat_at/.test(sql))).toBe(true);
    for (const gate of gates) gate.resolve();
    expect(await working).toBe(true);
  });

  test('rejects when the claim fails', async ({ world }) => {
    const { durably } = await world.instance();
    durably.register({ echo });
    expect(await rejectionOf(durably.processOne())).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(await rejectionOf(durably.processUntilIdle())).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await durably.migrate();
    expect(await durably.processOne()).toBe(false);
  });
});
