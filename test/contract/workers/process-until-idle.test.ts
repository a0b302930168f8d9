import { expect } from 'vitest';
import { ValidationError } from '../../../src/core/errors/errors.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { journalTypes, nextEvent, rejectionOf } from '../../support/runs.ts';
import { atStep, gatedJob } from './gated-job.ts';

contract('processUntilIdle', (test) => {
  test('executes all runs and those they trigger, and returns their number', async ({ world }) => {
    const { durably } = await world.idle({ maxConcurrentRuns: 3 });
    const child = durably.register({ echo }).echo;
    const { parent } = durably.register({
      parent: job('parent', async (step, n) => {
        await step.run('child', async () => void (await child.trigger(n)));
      }),
    });
    await parent.batchTrigger([1, 2, 3, 4, 5, 6, 7]);
    expect(await durably.processUntilIdle()).toBe(14);
    expect(await durably.getRuns({ status: 'completed' })).toHaveLength(14);
    expect(await durably.processUntilIdle()).toBe(0);
  });

  test('finds runs that another process triggers meanwhile', async ({ world }) => {
    const { durably } = await world.idle();
    const { durably: other } = await world.idle();
    const { gated, gates } = gatedJob();
    const there = other.register({ gated }).gated;
    await durably.register({ gated }).gated.trigger(1);
    const atFirst = atStep(durably, 0);
    const working = durably.processUntilIdle();
    await atFirst;
    await there.trigger(2);
    for (const gate of gates) gate.resolve();
    expect(await working).toBe(2);
  });

  test('keeps the order of a concurrency key', async ({ world }) => {
    const { durably } = await world.idle({ maxConcurrentRuns: 4 });
    const order: unknown[] = [];
    const { keyed } = durably.register({ keyed: job('keyed', (_step, n) => void order.push(n)) });
    for (let n = 0; n < 5; n++) await keyed.trigger(n, { concurrencyKey: 'k' });
    expect(await durably.processUntilIdle()).toBe(5);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  test('takes no more than maxRuns', async ({ world }) => {
    const { durably } = await world.idle({ maxConcurrentRuns: 2 });
    const handle = durably.register({ echo }).echo;
    await handle.batchTrigger([1, 2, 3, 4, 5]);
    expect(await durably.processUntilIdle({ maxRuns: 3 })).toBe(3);
    expect(await durably.getRuns({ status: 'pending' })).toHaveLength(2);
  });

  test('leaves unfinished runs to a started worker when the time is up', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.idle({ clock });
    const { gated, gates } = gatedJob();
    const run = await durably.register({ gated }).gated.trigger(1);
    const started = atStep(durably, 0);
    const working = durably.processUntilIdle({ timeoutMs: 10 });
    await started;
    await idle();
    durably.start();
    clock.advance(10);
    expect(await working).toBe(1);
    expect((await durably.getRun(run.id))?.status).toBe('running');
    const ended = nextEvent(durably, 'run:complete');
    for (const gate of gates) gate.resolve();
    await ended;
    expect((await durably.getRun(run.id))?.attempt).toBe(1);
  });

  test('ends beside a started worker when both have nothing to do', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 2 });
    const handle = durably.register({ echo }).echo;
    const runs = await handle.batchTrigger(Array.from({ length: 20 }, (_, i) => i));
    await durably.processUntilIdle();
    expect(await durably.getRuns({ status: 'completed' })).toHaveLength(runs.length);
    const starts = await Promise.all(runs.map(({ id }) => journalTypes(durably, id)));
    expect(starts.flat().filter((type) => type === 'run:start')).toHaveLength(runs.length);
  });

  test('claims nothing more after stop, which waits for its runs', async ({ world }) => {
    const { durably } = await world.idle();
    const { gated, gates } = gatedJob();
    const handle = durably.register({ gated }).gated;
    const [first, second] = await handle.batchTrigger([1, 2]);
    const started = atStep(durably, 0);
    const working = durably.processUntilIdle();
    await started;
    let isStopped = false;
    const stopped = durably.stop().then(() => {
      isStopped = true;
    });
    expect(await durably.processOne()).toBe(false);
    await idle();
    expect(isStopped).toBe(false);
    for (const gate of gates) gate.resolve();
    await stopped;
    expect(await working).toBe(1);
    expect((await durably.getRun(first?.id ?? ''))?.status).toBe('completed');
    expect((await durably.getRun(second?.id ?? ''))?.status).toBe('pending');
    expect(await durably.processUntilIdle()).toBe(1);
  });

  test('hands its run back at stop with a timeout, and resolves', async ({ world }) => {
    const { durably } = await world.idle();
    const { held } = durably.register({ held: job('held', () => new Promise(() => undefined)) });
    const run = await held.trigger(1);
    const started = atStep(durably, 0);
    const working = durably.processUntilIdle();
    await started;
    await durably.stop({ timeoutMs: 1 });
    expect(await working).toBe(1);
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'pending', attempt: 1 });
  });

  test('does not count a hand-back as a lost worker', async ({ world }) => {
    const { durably } = await world.idle();
    const { long } = durably.register({
      long: job('long', async (step) => {
        for (let i = 0; i < 12; i++) await step.run(`step ${i}`, () => (i < 11 ? end.abort() : 'last'));
      }),
    });
    let end = new AbortController();
    const run = await long.trigger(1);
    for (let i = 0; i < 12; i++) {
      end = new AbortController();
      expect(await durably.processUntilIdle({ signal: end.signal })).toBe(1);
    }
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'completed', attempt: 1 });
  });

  test('takes nothing once its signal is aborted', async ({ world }) => {
    const { durably, statements } = await world.idle({ clock: new FakeClock() });
    await durably.register({ echo }).echo.trigger(1);
    const before = statements.length;
    expect(await durably.processUntilIdle({ signal: AbortSignal.abort() })).toBe(0);
    expect(statements.length).toBe(before);
  });

  test.for([
    [{ maxRuns: 0 }, 'maxRuns must be a positive whole number, not 0'],
    [{ maxRuns: 1.5 }, 'maxRuns must be'],
    [{ timeoutMs: -1 }, 'timeoutMs must be a positive number of ms, not -1'],
    [{ timeoutMs: Number.NaN }, 'timeoutMs must be'],
    [{ signal: {} as AbortSignal }, 'signal must be an AbortSignal'],
  ] as const)('refuses %j', async ([options, message], { world }) => {
    const { durably } = await world.idle();
    const error = await rejectionOf(durably.processUntilIdle(options));
    expect(error).toBeInstanceOf(ValidationError);
    expect(String(error)).toContain(message);
  });
});
