import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob, RunTimeoutError, type StepContext } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { journalTypes, nextEvent, untilStatus } from '../../support/runs.ts';
import { deferred } from '../../support/until.ts';

const HOUR_MS = 3_600_000;

const limited = (
  run: (step: StepContext) => unknown,
  options: { timeout?: '2s' | '2h' | number; retries?: { limit: number; delay: '5h' } } = { timeout: '2s' },
) => defineJob({ name: 'limited', input: z.unknown(), ...options, run });

contract('a run with a timeout', (test) => {
  test('fails when its time is up, and its step’s signal aborts', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock });
    const reasons: unknown[] = [];
    const begun = deferred();
    const job = durably.register({
      limited: limited((step) =>
        step.run('endless', async (signal) => {
          signal.addEventListener('abort', () => reasons.push(signal.reason));
          begun.resolve();
          await new Promise(() => undefined);
        }),
      ),
    }).limited;
    const failed = nextEvent(durably, 'run:fail');
    const { id } = await job.trigger(0);
    await begun.promise;
    clock.advance(1_999);
    await idle();
    expect((await durably.getRun(id))?.status).toBe('running');
    clock.advance(1);
    expect(await failed).toMatchObject({
      error: 'timed out after 2s',
      errorDetail: { name: 'RunTimeoutError', code: 'RUN_TIMEOUT', message: 'timed out after 2s' },
      failedStepName: 'unknown',
    });
    const run = await durably.getRun(id);
    expect(run).toMatchObject({ status: 'failed', error: 'timed out after 2s' });
    expect(run?.errorDetail).not.toHaveProperty('stack');
    expect(reasons).toEqual([expect.any(RunTimeoutError)]);
    expect(await journalTypes(durably, id)).toEqual(['run:trigger', 'run:start', 'step:start', 'run:fail']);
  });

  test('stores nothing of what its job does afterwards', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock });
    const errors: unknown[] = [];
    const begun = deferred();
    const gate = deferred();
    const over = deferred();
    const job = durably.register({
      limited: limited(async (step) => {
        await step
          .run('slow', async () => {
            begun.resolve();
            await gate.promise;
          })
          .catch((error) => errors.push(error));
        await step.run('next', () => 1).catch((error) => errors.push(error));
        over.resolve();
        return 'done';
      }),
    }).limited;
    const failed = nextEvent(durably, 'run:fail');
    const { id } = await job.trigger(0);
    await begun.promise;
    clock.advance(2_000);
    await failed;
    gate.resolve();
    await over.promise;
    expect(errors).toEqual([expect.any(RunTimeoutError), expect.any(RunTimeoutError)]);
    expect(await durably.getSteps(id)).toEqual([]);
    expect((await durably.getRun(id))?.status).toBe('failed');
  });

  test('fails while it waits, though nobody executes it', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const job = durably.register({
      limited: limited((step) => step.sleep('long', '5h'), { timeout: '2h' }),
    }).limited;
    const { id } = await job.trigger(0);
    await untilStatus(durably, id, 'waiting');
    const failed = nextEvent(durably, 'run:fail', id);
    await tools.ageDeadline(id, 2 * HOUR_MS);
    expect(await failed).toMatchObject({
      error: 'timed out after 2h',
      errorDetail: { name: 'RunTimeoutError', code: 'RUN_TIMEOUT', message: 'timed out after 2h' },
    });
    expect(await durably.getRun(id)).toMatchObject({ status: 'failed', waits: [] });
  });

  test('fails at once in the process that put it to wait, without a poll', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock, pollingInterval: 1_000_000 });
    const tools = await world.tools();
    const job = durably.register({ limited: limited((step) => step.sleep('long', '5h')) }).limited;
    const { id } = await job.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await idle();
    await tools.ageDeadline(id, 2_000);
    const failed = nextEvent(durably, 'run:fail', id);
    clock.advance(2_010);
    expect(await failed).toMatchObject({ error: 'timed out after 2s' });
  });

  test('is not tried again by its job, and not while it waits for that', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const job = durably.register({
      limited: limited(() => Promise.reject(new Error('broken')), {
        timeout: '2h',
        retries: { limit: 3, delay: '5h' },
      }),
    }).limited;
    const { id } = await job.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await tools.ageDeadline(id, 2 * HOUR_MS);
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({
      error: 'timed out after 2h',
      attempt: 1,
    });
  });

  test('takes the timeout of its trigger before that of its job', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const job = durably.register({
      limited: limited((step) => step.sleep('long', '5h'), { timeout: '2h' }),
    }).limited;
    const { id } = await job.trigger(0, { timeout: 3 * HOUR_MS });
    await untilStatus(durably, id, 'waiting');
    await tools.ageDeadline(id, 3 * HOUR_MS);
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({ error: 'timed out after 3h' });
  });

  test('has all of its time again after a retry by hand', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const job = durably.register({
      limited: limited((step) => step.sleep('long', '5h'), { timeout: '2h' }),
    }).limited;
    const { id } = await job.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await tools.ageDeadline(id, 2 * HOUR_MS);
    await untilStatus(durably, id, 'failed');
    await durably.retry(id);
    await untilStatus(durably, id, 'waiting');
    await tools.ageDue(id, 5 * HOUR_MS);
    await untilStatus(durably, id, 'completed');
  });

  test.for([
    [{ timeout: 'soon' }, /^timeout must be a duration .*, not "soon"$/],
    [{ version: 0 }, 'version must be a whole number, 1 or more, not 0'],
    [{ version: '2' }, 'version must be a whole number, 1 or more, not "2"'],
    [{ version: 1.5 }, 'version must be a whole number, 1 or more, not 1.5'],
  ] as const)('is refused with %j when its job is defined', ([options, message]) => {
    expect(() =>
      defineJob({ name: 'bad', input: z.unknown(), run: () => 1, ...(options as object) }),
    ).toThrow(message);
  });
});

contract('a job with a version', (test) => {
  test('tells old runs theirs, and new runs its own', async ({ world }) => {
    const versions: number[] = [];
    const definition = (version: number | undefined) =>
      defineJob({
        name: 'versioned',
        input: z.unknown(),
        version,
        run: async (step) => {
          versions.push(step.version);
          await step.sleep('rest', '1h');
          return step.version;
        },
      });
    const first = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const { versioned } = first.durably.register({ versioned: definition(undefined) });
    const later = await versioned.trigger(0, { delay: '5h' });
    const { id } = await versioned.trigger(0);
    await untilStatus(first.durably, id, 'waiting');
    await first.durably.stop();
    const { durably } = await world.instance({ pollingInterval: 5 });
    durably.register({ versioned: definition(3) });
    durably.start();
    await tools.ageDue(id, HOUR_MS);
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: 1 });
    const waiting = nextEvent(durably, 'run:wait', later.id);
    await tools.ageDue(later.id, 5 * HOUR_MS);
    await waiting;
    await tools.ageDue(later.id, HOUR_MS);
    expect(await untilStatus(durably, later.id, 'completed')).toMatchObject({ output: 3 });
    expect(versions).toEqual([1, 1, 3, 3]);
  });
});
