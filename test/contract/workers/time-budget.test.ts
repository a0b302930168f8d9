import { expect } from 'vitest';
import { LeaseLostError } from '../../../src/core/errors/errors.ts';
import { contract } from '../../support/contract.ts';
import { interceptStatements } from '../../support/dialects/intercepted-dialect.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { journalTypes, rejectionOf } from '../../support/runs.ts';
import { deferred } from '../../support/until.ts';
import { atStep, gatedJob } from './gated-job.ts';

contract('processUntilIdle with a budget', (test) => {
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

  test('lets a job end if it has no further step', async ({ world }) => {
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

  test('leaves a run cancelled that is cancelled after the time is up', async ({ world }) => {
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
});
