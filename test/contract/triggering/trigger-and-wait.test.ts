import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob, RunEndedError, TimeoutError, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { nextEvent, rejectionOf, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

contract('triggerAndWait', (test) => {
  test('returns the id and the output', async ({ world }) => {
    const { durably } = await world.start();
    const handle = durably.register({ echo }).echo;
    const { id, output } = await handle.triggerAndWait({ a: 1 });
    expect(output).toEqual({ a: 1 });
    expect((await durably.getRun(id))?.status).toBe('completed');
  });

  test('returns the output as it was parsed and stored', async ({ world }) => {
    const { durably } = await world.start();
    const dated = defineJob({
      name: 'dated',
      input: z.unknown(),
      output: z.object({ at: z.date(), kept: z.string().toUpperCase() }),
      run: () => ({ at: new Date(0), kept: 'loud', dropped: 1 }),
    });
    const { output } = await durably.register({ dated }).dated.triggerAndWait(0);
    expect(output).toEqual({ at: '1970-01-01T00:00:00.000Z', kept: 'LOUD' });
  });

  test('works whichever instance executes the run', async ({ world }) => {
    const { durably: caller } = await world.idle({ pollingInterval: 5 });
    const waiting = caller.register({ echo }).echo.triggerAndWait('far');
    const { durably: worker } = await world.start({ pollingInterval: 5 });
    worker.register({ echo });
    expect((await waiting).output).toBe('far');
  });

  test('waits for the existing run of an idempotency key', async ({ world }) => {
    const { durably } = await world.start();
    const handle = durably.register({ echo }).echo;
    const first = await handle.triggerAndWait('first', { idempotencyKey: 'key' });
    expect(await handle.triggerAndWait('second', { idempotencyKey: 'key' })).toEqual(first);
  });

  test("rejects with the run's error when the run fails", async ({ world }) => {
    const { durably } = await world.start();
    const { broken } = durably.register({
      broken: job('broken', () => {
        throw new Error('it broke');
      }),
    });
    const error = await rejectionOf(broken.triggerAndWait(1));
    expect(error).toBeInstanceOf(RunEndedError);
    expect(error).toMatchObject({
      ending: 'failed',
      message: 'it broke',
      runId: expect.stringMatching(/^run_/),
    });
  });

  test('rejects when the run is cancelled', async ({ world }) => {
    const { durably } = await world.idle();
    const triggered = nextEvent(durably, 'run:trigger');
    const waiting = rejectionOf(durably.register({ echo }).echo.triggerAndWait(1));
    await durably.cancel((await triggered).runId);
    expect(await waiting).toMatchObject({ ending: 'cancelled' });
  });

  test('rejects when the run is deleted', async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.idle({ clock });
    const { durably: other } = await world.idle();
    let isOver = false;
    const waiting = rejectionOf(durably.register({ echo }).echo.triggerAndWait(1)).finally(() => {
      isOver = true;
    });
    await until(() => statements.at(-1)?.sql.includes('durably_journal'));
    await idle();
    // This process reads again only when its clock moves, so it sees both at once.
    const [run] = await other.getRuns();
    await other.cancel(run?.id ?? '');
    await other.deleteRun(run?.id ?? '');
    await until(() => {
      clock.advance(250);
      return isOver;
    });
    expect(await waiting).toBeInstanceOf(RunEndedError);
    expect(await waiting).toMatchObject({ ending: 'deleted' });
  });

  test('rejects when the time is up, and the run continues', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock });
    const gate = deferred();
    const { held } = durably.register({ held: job('held', () => gate.promise.then(() => 'late')) });
    const started = nextEvent(durably, 'run:start');
    let isOver = false;
    const waiting = rejectionOf(held.triggerAndWait(1, { timeout: 5_000 })).finally(() => {
      isOver = true;
    });
    const { runId } = await started;
    clock.advance(4_999);
    await idle();
    expect(isOver).toBe(false);
    clock.advance(1);
    const error = await waiting;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error.message).toContain('timeout');
    gate.resolve();
    expect((await untilStatus(durably, runId, 'completed')).output).toBe('late');
  });

  test('leaves no timer behind when it ends in time', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock });
    const handle = durably.register({ echo }).echo;
    const waiting = handle.triggerAndWait(1, { timeout: 123_456 });
    let isOver = false;
    void waiting.then(() => {
      isOver = true;
    });
    await until(() => {
      clock.advance(5);
      return isOver;
    });
    expect(clock.pendingMs.filter((ms) => ms > 100_000 && ms < 130_000)).toEqual([]);
  });

  test('refuses an invalid timeout', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    for (const timeout of [-1, Number.NaN, Number.POSITIVE_INFINITY, '5' as never]) {
      const error = await rejectionOf(handle.triggerAndWait(1, { timeout }));
      expect(error).toBeInstanceOf(ValidationError);
      expect(error.message).toContain(String(timeout));
    }
    expect(await durably.getRuns()).toEqual([]);
  });

  test('continues to wait for a run that is retried before its failure was noticed', async ({ world }) => {
    let isBroken = true;
    const flaky = job('flaky', () => {
      if (isBroken) throw new Error('once');
      return 'mended';
    });
    const clock = new FakeClock();
    const waiter = await world.idle({ clock });
    const output = waiter.durably.register({ flaky }).flaky.triggerAndWait(1);
    const { durably } = await world.instance({ pollingInterval: 5 });
    durably.register({ flaky });
    durably.on('run:fail', ({ runId }) => {
      isBroken = false;
      void durably.retry(runId);
    });
    const completed = nextEvent(durably, 'run:complete');
    durably.start();
    await completed;
    // The stream reads again only now.
    await until(async () => {
      clock.advance(250);
      return await Promise.race([output.then(() => true), idle().then(() => false)]);
    });
    expect((await output).output).toBe('mended');
  });
});

contract("a handle's reads", (test) => {
  test('getRun sees only its own job', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: one, other } = durably.register({ echo, other: job('other', () => 1) });
    const run = await one.trigger(1);
    expect(await one.getRun(run.id)).toEqual(run);
    expect(await other.getRun(run.id)).toBeNull();
    expect(await one.getRun('run_unknown')).toBeNull();
    expect(await durably.getRun('run_unknown')).toBeNull();
  });

  test('getRuns sees only its own job, and refuses a filter by another job', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: one, other } = durably.register({ echo, other: job('other', () => 1) });
    await other.trigger(1);
    const runs = await one.batchTrigger([1, 2, 3]);
    const newestFirst = runs.toReversed();
    expect(await one.getRuns()).toEqual(newestFirst);
    expect(await one.getRuns({ limit: 1, offset: 1, status: ['pending'] })).toEqual([newestFirst[1]]);
    expect(await one.getRuns({ status: 'failed' })).toEqual([]);
    expect(await rejectionOf(one.getRuns({ jobName: 'other' } as never))).toBeInstanceOf(ValidationError);
    expect(await rejectionOf(one.getRuns({ limit: 0 }))).toBeInstanceOf(ValidationError);
  });
});
