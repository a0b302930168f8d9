import { expect } from 'vitest';
import { z } from 'zod';
import {
  defineJob,
  NonRetryableError,
  type Retries,
  RetryAfterError,
  StepTimeoutError,
} from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { job } from '../../../support/jobs.ts';
import { nextEvent, recordEvents, untilEnded, untilStatus } from '../../../support/runs.ts';
import { AT_ONCE, HOUR_MS } from './patient.ts';

contract('a step with retries', (test) => {
  test('is tried again until it succeeds, and the job sees nothing of it', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const events = recordEvents(durably, ['step:retry', 'step:fail', 'step:complete']);
    const attempts: number[] = [];
    const { flaky } = durably.register({
      flaky: job('flaky', (step) =>
        step.run('work', { retries: { limit: 3, ...AT_ONCE } }, (_signal, { attempt }) => {
          attempts.push(attempt);
          if (attempt < 3) throw new Error(`try ${attempt}`);
          return 'done';
        }),
      ),
    });
    const { id } = await flaky.trigger(0);
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: 'done', attempt: 1 });
    expect(attempts).toEqual([1, 2, 3]);
    expect(events.map(({ type }) => type)).toEqual(['step:retry', 'step:retry', 'step:complete']);
    expect(events[1]).toMatchObject({
      stepName: 'work',
      stepIndex: 0,
      error: 'try 2',
      attempt: 2,
      nextAttemptAt: expect.any(String),
    });
  });

  test('fails with its last error after one try more than it has retries', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    let tries = 0;
    const { flaky } = durably.register({
      flaky: job('flaky', (step) =>
        step.run('work', { retries: { limit: 2, ...AT_ONCE } }, () => {
          throw new Error(`try ${++tries}`);
        }),
      ),
    });
    const { id } = await flaky.trigger(0);
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({
      error: 'try 3',
      failedStepName: 'work',
    });
    expect(tries).toBe(3);
    // By hand it gets all of them again.
    const ended = untilEnded(durably, id);
    await durably.retry(id);
    await ended;
    expect(tries).toBe(6);
  });

  test('waits between its tries without a slot, and counts them across workers', async ({ world }) => {
    const first = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const attempts: number[] = [];
    const definition = job('flaky', (step) =>
      step.run('work', { retries: { limit: 3, delay: '1h' } }, (_signal, { attempt }) => {
        attempts.push(attempt);
        if (attempt < 2) throw new Error('failed');
        return attempt;
      }),
    );
    const { flaky } = first.durably.register({ flaky: definition });
    const { id } = await flaky.trigger(0);
    expect(await untilStatus(first.durably, id, 'waiting')).toMatchObject({
      waits: [{ kind: 'retry', stepName: 'work', until: expect.any(String) }],
    });
    expect(await first.durably.getSteps(id)).toEqual([]);
    await first.durably.stop();
    await tools.ageDue(id, HOUR_MS);
    const { durably } = await world.instance({ pollingInterval: 5 });
    durably.register({ flaky: definition });
    durably.start();
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: 2, attempt: 1 });
    expect(attempts).toEqual([1, 2]);
  });

  test('is not tried again after a NonRetryableError, by class, by name or as a cause', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    let tries = 0;
    const errors = [
      new NonRetryableError('never'),
      Object.assign(new Error('never'), { name: 'NonRetryableError' }),
      new Error('never', { cause: new NonRetryableError('inner') }),
    ];
    const { flaky } = durably.register({
      flaky: job('flaky', (step, i) =>
        step.run('work', { retries: { limit: 5, ...AT_ONCE } }, () => {
          tries++;
          throw errors[i as number];
        }),
      ),
    });
    for (const [i] of errors.entries()) {
      const { id } = await flaky.trigger(i);
      expect(await untilStatus(durably, id, 'failed')).toMatchObject({ error: 'never' });
    }
    expect(tries).toBe(errors.length);
  });

  test('is tried again when a RetryAfterError says', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const { flaky } = durably.register({
      flaky: job('flaky', (step) =>
        step.run('work', { retries: 1 }, () => {
          throw new RetryAfterError('later', '2h');
        }),
      ),
    });
    const before = Date.now();
    const { id } = await flaky.trigger(0);
    const { waits } = await untilStatus(durably, id, 'waiting');
    const inMs = Date.parse(waits[0]?.until ?? '') - before;
    expect(inMs).toBeGreaterThanOrEqual(2 * HOUR_MS - 1);
    expect(inMs).toBeLessThan(3 * HOUR_MS);
  });

  test('whose time is up has failed, though its function goes on', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const reasons: unknown[] = [];
    const { slow } = durably.register({
      slow: job('slow', (step) =>
        step.run('work', { timeout: 10, retries: { limit: 1, ...AT_ONCE } }, async (signal, { attempt }) => {
          if (attempt === 2) return 'second';
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          reasons.push(signal.reason);
          return 'too late';
        }),
      ),
    });
    const { id } = await slow.trigger(0);
    const retry = await nextEvent(durably, 'step:retry', id);
    expect(retry.error).toBe('Step "work" timed out after 10 ms');
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: 'second' });
    expect(reasons).toEqual([expect.any(StepTimeoutError)]);
  });

  test('is refused a time limit of nothing, like its job', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const { hasty } = durably.register({
      hasty: job('hasty', (step) => step.run('work', { timeout: 0 }, () => 1)),
    });
    const { id } = await hasty.trigger(0);
    const why = 'timeout must be longer than 0, not 0';
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({
      error: `Step "work" can't run: ${why}`,
    });
    expect(() =>
      defineJob({ name: 'x', input: z.unknown(), run: () => 0, defaults: { timeout: 0 } }),
    ).toThrow(`defaults.${why}`);
  });

  test('cannot call other steps inside of its function', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const { outer } = durably.register({
      outer: job('outer', (step) =>
        step.run('outer', { retries: { limit: 1, ...AT_ONCE } }, () => step.run('inner', () => 1)),
      ),
    });
    const { id } = await outer.trigger(0);
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({
      error: `Step "inner" can't be called inside step "outer", which has retries: give the retries to the inner step`,
    });
  });

  test('fails with its own error if the database refuses the retry', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    await (await world.tools()).refuseEvents('step:retry');
    const { flaky } = durably.register({
      flaky: job('flaky', (step) =>
        step.run('work', { retries: { limit: 2, ...AT_ONCE } }, () => {
          throw new Error('broken');
        }),
      ),
    });
    const { id } = await flaky.trigger(0);
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({
      error: 'broken',
      failedStepName: 'work',
    });
  });

  test('takes the defaults of its job for what it does not say itself', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tries = { quiet: 0, stubborn: 0 };
    const { mixed } = durably.register({
      mixed: defineJob({
        name: 'mixed',
        input: z.unknown(),
        defaults: { retries: { limit: 2, ...AT_ONCE } },
        run: async (step) => {
          await step.run('stubborn', () => {
            if (++tries.stubborn < 3) throw new Error('failed');
          });
          await step.run('quiet', { retries: 0 }, () => {
            tries.quiet++;
            throw new Error('failed');
          });
        },
      }),
    });
    const { id } = await mixed.trigger(0);
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({ failedStepName: 'quiet' });
    expect(tries).toEqual({ quiet: 1, stubborn: 3 });
  });

  test.for([
    [-1, /retries must be a whole number from 0 to 1000000, not -1/],
    ['3', /retries must be a number of retries or an object with a limit/],
    [{ limit: 1.5 }, /retries\.limit must be a whole number/],
    [{ limit: 1, delay: '1 second' }, /retries\.delay must be a duration.* not "1 second"/],
    [
      { limit: 1, backoff: 'random' },
      /retries\.backoff must be one of exponential, linear, constant, not "random"/,
    ],
    [{ limit: 1, delays: 1 }, /Unknown retries option "delays"; did you mean "delay"\?/],
  ] as const)('refuses %j, and names it', async ([retries, message], { world }) => {
    const { durably } = await world.start();
    const { flaky } = durably.register({
      flaky: job('flaky', (step) => step.run('work', { retries: retries as Retries }, () => 1)),
    });
    const { id } = await flaky.trigger(0);
    const run = await untilStatus(durably, id, 'failed');
    expect(run.error).toMatch(message);
    expect(run.error).toMatch(/^Step "work" can't run: /);
  });
});

contract('a step whose tries are used up', (test) => {
  test('has all of them again when its job calls it again', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const attempts: number[] = [];
    const { flaky } = durably.register({
      flaky: job('flaky', async (step) => {
        const work = () =>
          step.run('work', { retries: { limit: 1, delay: '1h', jitter: false } }, (_signal, { attempt }) => {
            attempts.push(attempt);
            if (attempts.length < 3) throw new Error('failed');
          });
        await work().catch(work);
      }),
    });
    const { id } = await flaky.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await tools.ageDue(id, HOUR_MS);
    await untilStatus(durably, id, 'completed');
    expect(attempts).toEqual([1, 2, 1]);
  });
});
