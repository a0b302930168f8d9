import { expect } from 'vitest';
import { LeaseLostError, ValidationError } from '../../../src/core/errors/errors.ts';
import type { Durably } from '../../../src/create-durably.ts';
import { contract } from '../../support/contract.ts';
import { interceptStatements } from '../../support/dialects/intercepted-dialect.ts';
import { tripsOf } from '../../support/dialects/recording-dialect.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { ageHeartbeat, journalTypes, nextEvent, recordEvents, rejectionOf } from '../../support/runs.ts';
import { deferred } from '../../support/until.ts';

/** A job of five steps that each wait for a gate, and the names of the steps whose function was called. */
function gatedJob() {
  const calls: string[] = [];
  const gates = Array.from({ length: 5 }, () => deferred());
  const gated = job('gated', async (step) => {
    for (const [i, gate] of gates.entries()) {
      await step.run(`step ${i}`, async () => {
        calls.push(`step ${i}`);
        await gate.promise;
        return i;
      });
    }
    return 'done';
  });
  return { gated, calls, gates };
}

const atStep = (durably: Durably, index: number) =>
  new Promise<void>((resolve) => {
    if (index === 0) durably.on('run:start', () => resolve());
    durably.on('step:complete', ({ stepIndex }) => void (stepIndex === index - 1 && resolve()));
  });

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
    const started = nextEvent(lost, 'run:start');
    const run = await held.trigger(1);
    await started;
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
    // Without batches, looking for waiting runs that are due is a statement of its own.
    const claim = world.backend.needsReconnect ? 2 : 1;
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

  test.for(['timeoutMs', 'signal'] as const)(
    'hands back at the next step when its %s ends it, and the next call continues there',
    async (bound, { world }) => {
      const clock = new FakeClock();
      const { durably } = await world.idle({ clock });
      const { gated, calls, gates } = gatedJob();
      const handle = durably.register({ gated }).gated;
      const [run, untouched] = await handle.batchTrigger([1, 2]);
      const end = new AbortController();
      gates[0]?.resolve();
      const atSecond = atStep(durably, 1);
      const working = durably.processUntilIdle(
        bound === 'signal' ? { signal: end.signal } : { timeoutMs: 1_000 },
      );
      await atSecond;
      await idle();
      if (bound === 'signal') end.abort();
      else clock.advance(1_000);
      await idle();
      // The running step is awaited.
      expect((await durably.getRun(run?.id ?? ''))?.status).toBe('running');
      gates[1]?.resolve();
      expect(await working).toBe(1);
      expect(await durably.getRun(run?.id ?? '')).toMatchObject({
        status: 'pending',
        attempt: 1,
        stepCount: 2,
        heartbeatAt: null,
      });
      expect((await durably.getRun(untouched?.id ?? ''))?.attempt).toBe(0);
      expect(await journalTypes(durably, run?.id ?? '')).not.toContain('run:fail');
      for (const gate of gates) gate.resolve();
      expect(await durably.processUntilIdle()).toBe(2);
      expect(await durably.getRun(run?.id ?? '')).toMatchObject({ status: 'completed', attempt: 1 });
      expect(calls.slice(0, 5)).toEqual(['step 0', 'step 1', 'step 2', 'step 3', 'step 4']);
      expect(calls).toHaveLength(10);
    },
  );

  test('does not abort the running step when the time is up, and keeps its log lines', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.idle({ clock });
    const gate = deferred();
    let aborted: boolean | undefined;
    let refusal: unknown;
    const { held } = durably.register({
      held: job('held', async (step) => {
        await step.run('one', async (signal) => {
          await gate.promise;
          aborted = signal.aborted;
          step.log.info('within');
        });
        step.log.info('between');
        step.progress(1, 2);
        refusal = await rejectionOf(step.run('two', () => 1));
        step.log.info('too late');
      }),
    });
    const run = await held.trigger(1);
    const started = atStep(durably, 0);
    const working = durably.processUntilIdle({ timeoutMs: 10 });
    await started;
    clock.advance(10);
    gate.resolve();
    await working;
    await idle();
    expect(aborted).toBe(false);
    expect(refusal).toBeInstanceOf(LeaseLostError);
    expect((await durably.getRun(run.id))?.progress).toEqual({ current: 1, total: 2 });
    const lines = await durably.getLogs({ runId: run.id });
    expect(lines.map(({ message }) => message)).toEqual(['within', 'between']);
  });

  test('lets a job without a further step end', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.idle({ clock });
    const gate = deferred();
    const { held } = durably.register({ held: job('held', (step) => step.run('one', () => gate.promise)) });
    const run = await held.trigger(1);
    const started = atStep(durably, 0);
    const working = durably.processUntilIdle({ timeoutMs: 10 });
    await started;
    clock.advance(10);
    gate.resolve();
    expect(await working).toBe(1);
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'completed', attempt: 1 });
  });

  test('replays stored steps even after the time is up', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.idle({ clock });
    let isBroken = true;
    const gate = deferred();
    const { flaky } = durably.register({
      flaky: job('flaky', async (step) => {
        await step.run('one', () => 1);
        await step.run('two', () => 2);
        if (isBroken) throw new Error('broken');
        await gate.promise;
        return [await step.run('one again', () => 1).catch(() => 'handed back')];
      }),
    });
    const { replayed } = durably.register({
      replayed: job('replayed', async (step) => {
        if (!isBroken) await gate.promise;
        const values = [await step.run('one', () => 1), await step.run('two', () => 2)];
        if (isBroken) throw new Error('broken');
        return values;
      }),
    });
    for (const handle of [flaky, replayed]) {
      isBroken = true;
      const run = await handle.trigger(1);
      await durably.processOne();
      isBroken = false;
      await durably.retry(run.id);
      const started = atStep(durably, 0);
      const working = durably.processUntilIdle({ timeoutMs: 10 });
      await started;
      await idle();
      clock.advance(10);
      gate.resolve();
      await working;
      const expected = handle === flaky ? { status: 'pending' } : { status: 'completed', output: [1, 2] };
      expect(await durably.getRun(run.id)).toMatchObject({ ...expected, attempt: 2 });
      if (handle === flaky) await durably.cancel(run.id);
    }
  });

  test('stores all running parallel steps before the hand-back, and starts no others', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.idle({ clock });
    const gates = [deferred(), deferred()];
    const calls: string[] = [];
    const { wide } = durably.register({
      wide: job('wide', async (step) => {
        const call = (name: string, wait?: Promise<void>) =>
          step.run(name, async () => {
            calls.push(name);
            await wait;
            return name;
          });
        return await Promise.all([
          call('a', gates[0]?.promise).then(() => call('after a')),
          call('b', gates[1]?.promise),
        ]);
      }),
    });
    const run = await wide.trigger(1);
    const started = atStep(durably, 0);
    const working = durably.processUntilIdle({ timeoutMs: 10 });
    await started;
    await idle();
    clock.advance(10);
    gates[0]?.resolve();
    await idle();
    expect((await durably.getRun(run.id))?.status).toBe('running');
    gates[1]?.resolve();
    await working;
    expect(calls).toEqual(['a', 'b']);
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'pending', stepCount: 2 });
    await durably.processUntilIdle();
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'completed', output: ['after a', 'b'] });
    expect(calls).toEqual(['a', 'b', 'after a']);
  });

  test('fails the run if a parallel step fails after the time is up', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.idle({ clock });
    const gates = [deferred(), deferred()];
    const { wide } = durably.register({
      wide: job('wide', (step) =>
        Promise.all([
          step.run('a', () => gates[0]?.promise).then(() => step.run('after a', () => 1)),
          step.run('b', () => gates[1]?.promise),
        ]),
      ),
    });
    const run = await wide.trigger(1);
    const started = atStep(durably, 0);
    const working = durably.processUntilIdle({ timeoutMs: 10 });
    await started;
    await idle();
    clock.advance(10);
    gates[0]?.resolve();
    await idle();
    gates[1]?.reject(new Error('b failed'));
    await working;
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'failed', error: 'b failed', attempt: 1 });
  });

  test('leaves a run cancelled that is cancelled at the boundary', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.idle({ clock });
    const { gated, calls, gates } = gatedJob();
    const run = await durably.register({ gated }).gated.trigger(1);
    const started = atStep(durably, 0);
    const working = durably.processUntilIdle({ timeoutMs: 10 });
    await started;
    await idle();
    clock.advance(10);
    await durably.cancel(run.id);
    gates[0]?.resolve();
    expect(await working).toBe(1);
    expect((await durably.getRun(run.id))?.status).toBe('cancelled');
    expect(calls).toEqual(['step 0']);
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

  test('hands back runs without starting them if their claim is answered after the budget was used up', async ({
    world,
  }) => {
    const end = new AbortController();
    const { durably } = await world.idle({
      maxConcurrentRuns: 2,
      wrap: (dialect) =>
        interceptStatements(dialect, async ({ sql }, execute) => {
          const result = await execute();
          if (sql.includes('claim_token = ')) end.abort();
          return result;
        }),
    });
    const calls: unknown[] = [];
    const { noted } = durably.register({ noted: job('noted', (_step, n) => void calls.push(n)) });
    const [run] = await noted.batchTrigger([1, 2]);
    expect(await durably.processUntilIdle({ signal: end.signal })).toBe(0);
    expect(calls).toEqual([]);
    expect(await durably.getRun(run?.id ?? '')).toMatchObject({ status: 'pending', attempt: 1 });
    expect(await durably.processUntilIdle()).toBe(2);
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

contract('a worker on demand', (test) => {
  test('starts no loop at init, and is healthy', async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.start({ clock, worker: 'on-demand' });
    const run = await durably.register({ echo }).echo.trigger(1);
    durably.start();
    await idle();
    const before = statements.length;
    clock.advance(7_200_000);
    await idle();
    expect(statements.length).toBe(before);
    expect((await durably.getRun(run.id))?.status).toBe('pending');
    expect(await durably.health()).toEqual({ database: true, worker: true });
    expect(await durably.processUntilIdle()).toBe(1);
    expect((await durably.getRun(run.id))?.status).toBe('completed');
  });

  test('removes what old deletions left when a run is deleted, because it has no loop', async ({ world }) => {
    const { durably } = await world.idle({ worker: 'on-demand' });
    const handle = durably.register({ echo }).echo;
    const [old, young] = await handle.batchTrigger([1, 2]);
    await durably.processUntilIdle();
    await durably.deleteRun(old?.id ?? '');
    await durably.db
      .updateTable('durably_journal')
      .set((eb) => ({ created_at: eb('created_at', '-', 25 * 3_600_000) }))
      .execute();
    const events = recordEvents(durably, ['worker:error']);
    await durably.deleteRun(young?.id ?? '');
    expect(await journalTypes(durably, old?.id ?? '')).toEqual([]);
    expect(await journalTypes(durably, young?.id ?? '')).toEqual(['run:delete']);
    expect(events).toEqual([]);
  });

  test('reads events for a stream once in each polling interval', async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.idle({ clock, worker: 'on-demand', pollingInterval: 900 });
    const run = await durably.register({ echo }).echo.trigger(1);
    const reader = durably.subscribe(run.id).getReader();
    await reader.read();
    void reader.read().catch(() => undefined);
    await idle();
    const before = statements.length;
    clock.advance(899);
    await idle();
    expect(statements.length).toBe(before);
    clock.advance(1);
    await idle();
    expect(statements.length).toBe(before + 1);
    await reader.cancel();
  });
});
