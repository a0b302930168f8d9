import { expect } from 'vitest';
import { z } from 'zod';
import {
  ChildRunError,
  type Durably,
  defineJob,
  type Run,
  type StepContext,
  StepError,
} from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { job } from '../../support/jobs.ts';
import { journalTypes, rejectionOf, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

/** A worker that would not look again by itself for an hour. */
const PATIENT = { pollingInterval: 3_600_000 };

const double = defineJob({
  name: 'double',
  input: z.object({ n: z.number() }),
  run: (_step, { n }) => ({ twice: 2 * n }),
});

/** The one run that a run has triggered. */
async function childOf(durably: Durably, parentRunId: string): Promise<Run> {
  return await until(async () => {
    const [child, ...others] = await durably.getRuns({ parentRunId });
    if (others.length > 0) throw new Error('more than one child');
    return child ?? null;
  }, 'a child');
}

contract('a step that invokes a job', (test) => {
  test('waits for the output of a run of its own', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { parent } = durably.register({
      double,
      parent: job('parent', async (step) => {
        const { twice } = await step.invoke('child', double, { n: 21 }, { labels: { of: 'parent' } });
        return await step.run('after', () => twice);
      }),
    });
    const { id } = await parent.trigger(0);
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({
      output: 42,
      attempt: 1,
      parentRunId: null,
    });
    const child = await childOf(durably, id);
    expect(child).toMatchObject({
      jobName: 'double',
      parentRunId: id,
      payload: { n: 21 },
      labels: { of: 'parent' },
    });
    expect(await durably.getSteps(id)).toMatchObject([
      { name: 'child', index: 0, kind: 'invoke', status: 'completed', output: { twice: 42 } },
      { name: 'after', index: 1, kind: 'run' },
    ]);
    expect(await journalTypes(durably, id)).toEqual([
      'run:trigger',
      'run:start',
      'step:start',
      'run:wait',
      'run:resume',
      'step:complete',
      'step:start',
      'step:complete',
      'run:complete',
    ]);
  });

  test('takes a job by its name, and shows what its run waits for', async ({ world }) => {
    const { durably } = await world.start({ ...PATIENT, maxConcurrentRuns: 1 });
    const gate = deferred();
    const { parent } = durably.register({
      slow: job('slow', (step) => step.run('works', () => gate.promise.then(() => 'done'))),
      parent: job('parent', (step) => step.invoke('child', 'slow', null)),
    });
    const { id } = await parent.trigger(0);
    const child = await childOf(durably, id);
    await untilStatus(durably, child.id, 'running');
    const waits = [{ kind: 'run', stepName: 'child', runId: child.id, until: null }];
    expect(await durably.getRun(id)).toMatchObject({ status: 'waiting', waits });
    gate.resolve();
    expect((await untilStatus(durably, id, 'completed')).output).toBe('done');
  });

  test('fails with a ChildRunError when its run fails, and a retry triggers another run', async ({
    world,
  }) => {
    const { durably } = await world.start(PATIENT);
    let isBroken = true;
    const { parent } = durably.register({
      flaky: job('flaky', () => {
        if (isBroken) throw new Error('broken');
        return 'well';
      }),
      parent: job('parent', async (step) => {
        try {
          return await step.invoke('child', 'flaky', null);
        } catch (error) {
          if (!(error instanceof ChildRunError)) throw error;
          const { status, runId, error: why } = error;
          step.log.warn('child', { status, runId, why });
          throw error;
        }
      }),
    });
    const { id } = await parent.trigger(0);
    const failed = await untilStatus(durably, id, 'failed');
    const first = await childOf(durably, id);
    expect(failed).toMatchObject({ error: `Run ${first.id} failed: broken`, failedStepName: 'child' });
    expect(await durably.getLogs({ runId: id })).toMatchObject([
      { data: { status: 'failed', runId: first.id, why: 'broken' } },
    ]);
    isBroken = false;
    await durably.retry(id);
    expect((await untilStatus(durably, id, 'completed')).output).toBe('well');
    expect(await durably.getRuns({ parentRunId: id })).toMatchObject([
      { status: 'completed' },
      { id: first.id },
    ]);
  });

  test('fails when its run is cancelled', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { parent } = durably.register({
      sleeper: job('sleeper', (step) => step.sleep('long', '1d')),
      parent: job('parent', (step) => step.invoke('child', 'sleeper', null)),
    });
    const { id } = await parent.trigger(0);
    const child = await childOf(durably, id);
    await untilStatus(durably, child.id, 'waiting');
    await durably.cancel(child.id);
    expect((await untilStatus(durably, id, 'failed')).error).toBe(`Run ${child.id} was cancelled`);
  });

  test('fails when its run was deleted before it was read', async ({ world }) => {
    const { durably } = await world.idle(PATIENT);
    const { parent } = durably.register({ parent: parentOf(double) });
    const { id } = await parent.trigger(0);
    await durably.processOne();
    const child = await childOf(durably, id);
    const other = await world.idle();
    await other.durably.cancel(child.id);
    await other.durably.deleteRun(child.id);
    await durably.init();
    expect((await untilStatus(durably, id, 'failed')).error).toBe(`Run ${child.id} was deleted`);
  });

  test('has one run, however often its own run is taken over', async ({ world }) => {
    const { durably } = await world.idle({ pollingInterval: 5 });
    const tools = await world.tools();
    const gate = deferred();
    const definition = job('parent', async (step) => {
      const [output] = await Promise.all([
        step.invoke('child', double, { n: 4 }),
        step.run('works', async () => await gate.promise),
      ]);
      return output;
    });
    const { parent } = durably.register({ double, parent: definition });
    const { id } = await parent.trigger(0);
    const lost = await world.start({ pollingInterval: 5, maxConcurrentRuns: 2 });
    lost.durably.register({ double, parent: definition });
    const child = await childOf(durably, id);
    await untilStatus(durably, child.id, 'completed');
    await tools.ageHeartbeat(id, 60_000);
    durably.start();
    await until(async () => (await durably.getRun(id))?.attempt === 2, 'the takeover');
    gate.resolve();
    expect((await untilStatus(durably, id, 'completed')).output).toEqual({ twice: 8 });
    expect(await durably.getRuns({ parentRunId: id })).toHaveLength(1);
  });

  test('may invoke many at once, and their runs share the slots', async ({ world }) => {
    const { durably } = await world.start({ ...PATIENT, maxConcurrentRuns: 3 });
    const { parent } = durably.register({
      double,
      parent: job('parent', async (step) => {
        const all = await Promise.all(
          [...Array(12).keys()].map((n) => step.invoke(`child ${n}`, double, { n })),
        );
        return all.map(({ twice }) => twice);
      }),
    });
    const { id } = await parent.trigger(0);
    const { output } = await untilStatus(durably, id, 'completed');
    expect(output).toEqual([...Array(12).keys()].map((n) => 2 * n));
    expect(await durably.getRuns({ parentRunId: id, status: 'completed' })).toHaveLength(12);
  });

  test('gives an output that is too large for the claim, and null for none', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { parent } = durably.register({
      large: job('large', () => 'x'.repeat(100_000)),
      none: job('none', () => undefined),
      parent: job('parent', async (step) => {
        const large = (await step.invoke('large', 'large', null)) as string;
        return [large.length, await step.invoke('none', 'none', null)];
      }),
    });
    const { id } = await parent.trigger(0);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([100_000, null]);
  });

  test('finds a run that another process ends', async ({ world }) => {
    const [one, two] = [await world.start({ pollingInterval: 5 }), await world.start({ pollingInterval: 5 })];
    const { parent } = one.durably.register({
      parent: parentOf(double),
      double: job('double', () => 'not here'),
    });
    await one.durably.stop();
    const { id } = await parent.trigger(0);
    two.durably.register({ parent: parentOf(double), double });
    expect((await untilStatus(two.durably, id, 'completed')).output).toEqual({ twice: 2 });
  });

  test.for([
    ['an unknown job', (step: StepContext) => step.invoke('child', 'doubel', {}), /did you mean "double"/],
    ['no job', (step: StepContext) => step.invoke('child', null as never, {}), /needs a job/],
    [
      'a bad input',
      (step: StepContext) => step.invoke('child', 'double', { n: 'x' }),
      /Invalid input for job double: n/,
    ],
    [
      'an unknown option',
      (step: StepContext) => step.invoke('child', 'double', { n: 1 }, { idempotencyKey: 'x' } as never),
      /idempotencyKey/,
    ],
  ] as const)('fails for %s, and triggers nothing', async ([, call, message], { world }) => {
    const { durably } = await world.start(PATIENT);
    const { parent } = durably.register({ double, parent: job('parent', call) });
    const { id } = await parent.trigger(0);
    expect((await untilStatus(durably, id, 'failed')).error).toMatch(message);
    expect(await durably.getRuns({ parentRunId: id })).toEqual([]);
  });

  test('fails at once if its run wants a concurrency key that a run above it holds', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { top, parent } = durably.register({
      double,
      parent: job('parent', (step, key) =>
        step.invoke('child', double, { n: 1 }, { concurrencyKey: key as string }),
      ),
      top: job('top', (step) => step.invoke('parent', 'parent', 'of the top')),
    });
    const own = await parent.trigger('mine', { concurrencyKey: 'mine' });
    expect((await untilStatus(durably, own.id, 'failed')).error).toMatch(
      /concurrency key "mine" belongs to this run/,
    );
    const above = await top.trigger(0, { concurrencyKey: 'of the top' });
    expect((await untilStatus(durably, above.id, 'failed')).error).toMatch(/concurrency key "of the top"/);
    const other = await parent.trigger('other', { concurrencyKey: 'mine' });
    await untilStatus(durably, other.id, 'completed');
  });

  test('stops at 50 levels', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { deep } = durably.register({
      deep: job('deep', async (step, level) => {
        try {
          return await step.invoke('child', 'deep', (level as number) + 1);
        } catch (error) {
          if (error instanceof StepError) return [level, error.message];
          throw error;
        }
      }),
    });
    const { id } = await deep.trigger(0);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([
      50,
      expect.stringContaining('50 runs above'),
    ]);
  });
});

contract('a step that triggers a job', (test) => {
  test('goes on at once, and has the same run however often it is replayed', async ({ world }) => {
    const { durably } = await world.start({ ...PATIENT, maxConcurrentRuns: 2 });
    const gate = deferred();
    let fails = true;
    const { parent } = durably.register({
      slow: job('slow', (step) => step.run('works', () => gate.promise.then(() => 'done'))),
      parent: job('parent', async (step) => {
        const { runId } = await step.trigger('start', 'slow', null);
        if (fails) throw new Error('once');
        return runId;
      }),
    });
    const { id } = await parent.trigger(0);
    await untilStatus(durably, id, 'failed');
    const child = await childOf(durably, id);
    await untilStatus(durably, child.id, 'running');
    fails = false;
    await durably.retry(id);
    expect((await untilStatus(durably, id, 'completed')).output).toBe(child.id);
    gate.resolve();
    await untilStatus(durably, child.id, 'completed');
    expect(await durably.getSteps(id)).toMatchObject([
      { name: 'start', kind: 'invoke', output: { runId: child.id } },
    ]);
    expect(await durably.getRuns({ parentRunId: id })).toHaveLength(1);
  });

  test('may trigger it for later', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { parent } = durably.register({
      double,
      parent: job('parent', (step) => step.trigger('later', double, { n: 1 }, { delay: '1h' })),
    });
    const { id } = await parent.trigger(0);
    await untilStatus(durably, id, 'completed');
    const child = await childOf(durably, id);
    expect(child).toMatchObject({ status: 'waiting', waits: [{ kind: 'delay', stepName: null }] });
  });
});

contract('cancelling a run', (test) => {
  test('cancels all active runs below it, and tells each', async ({ world }) => {
    const { durably } = await world.start({ ...PATIENT, maxConcurrentRuns: 4 });
    const aborted = deferred();
    const { top } = durably.register({
      leaf: job('leaf', (step) =>
        step.run('works', async (signal) => {
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          aborted.resolve();
        }),
      ),
      middle: job('middle', async (step) => {
        await step.trigger('quick', double, { n: 1 });
        await step.invoke('leaf', 'leaf', null);
      }),
      double,
      top: job('top', (step) => step.invoke('middle', 'middle', null)),
    });
    const { id } = await top.trigger(0);
    const middle = await childOf(durably, id);
    const leaf = await until(async () => {
      const [found] = await durably.getRuns({ parentRunId: middle.id, jobName: 'leaf', status: 'running' });
      return found ?? null;
    }, 'the leaf to run');
    await until(
      async () => (await durably.getRuns({ parentRunId: middle.id, status: 'completed' })).length === 1,
      'the quick one',
    );
    await durably.cancel(id);
    await aborted.promise;
    for (const runId of [id, middle.id, leaf.id]) {
      expect((await durably.getRun(runId))?.status).toBe('cancelled');
      expect((await journalTypes(durably, runId)).at(-1)).toBe('run:cancel');
    }
    expect(await durably.getRuns({ parentRunId: middle.id, status: 'completed' })).toHaveLength(1);
  });

  test('leaves no run that its steps might still trigger', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const [begun, gate] = [deferred(), deferred()];
    const { parent } = durably.register({
      double,
      parent: job('parent', async (step) => {
        begun.resolve();
        await gate.promise;
        await step.trigger('too late', double, { n: 1 });
      }),
    });
    const { id } = await parent.trigger(0);
    await begun.promise;
    const other = await world.idle();
    await other.durably.cancel(id);
    gate.resolve();
    await until(() => durably.countRunning() === 0, 'the job to stop');
    expect(await durably.getRuns({ parentRunId: id })).toEqual([]);
  });

  test('that has ended changes nothing below it', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { parent } = durably.register({
      sleeper: job('sleeper', (step) => step.sleep('long', '1d')),
      parent: job('parent', (step) => step.trigger('start', 'sleeper', null)),
    });
    const { id } = await parent.trigger(0);
    await untilStatus(durably, id, 'completed');
    const child = await childOf(durably, id);
    expect((await rejectionOf(durably.cancel(id))).message).toBe('Cannot cancel a completed run');
    expect((await untilStatus(durably, child.id, 'waiting')).status).toBe('waiting');
  });
});

contract('a run whose time is up', (test) => {
  test('takes all active runs below it along, by whoever finds that', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5, maxConcurrentRuns: 2 });
    const tools = await world.tools();
    const { top } = durably.register({
      sleeper: job('sleeper', (step) => step.sleep('long', '1d')),
      middle: job('middle', (step) => step.invoke('sleeper', 'sleeper', null)),
      top: job('top', (step) => step.invoke('middle', 'middle', null)),
    });
    const { id } = await top.trigger(0, { timeout: '2h' });
    const middle = await childOf(durably, id);
    const sleeper = await childOf(durably, middle.id);
    await untilStatus(durably, sleeper.id, 'waiting');
    await tools.ageDeadline(id, 7_200_000);
    expect((await untilStatus(durably, id, 'failed')).error).toBe('timed out after 2h');
    await untilStatus(durably, middle.id, 'cancelled');
    await untilStatus(durably, sleeper.id, 'cancelled');
    expect((await journalTypes(durably, sleeper.id)).at(-1)).toBe('run:cancel');
  });

  test('takes them along, too, when its own worker ends it', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ pollingInterval: 1_000, maxConcurrentRuns: 2, clock });
    const gate = deferred();
    const { top } = durably.register({
      sleeper: job('sleeper', (step) => step.sleep('long', '1d')),
      top: job('top', async (step) => {
        await step.trigger('start', 'sleeper', null);
        await step.run('works', () => gate.promise);
      }),
    });
    const { id } = await top.trigger(0, { timeout: '2h' });
    const sleeper = await childOf(durably, id);
    await untilStatus(durably, sleeper.id, 'waiting');
    // Its end, by the database's clock, is after its deadline.
    await (await world.tools()).ageDeadline(id, 7_200_000);
    clock.advance(7_200_000);
    expect((await untilStatus(durably, id, 'failed')).error).toBe('timed out after 2h');
    await until(async () => {
      clock.advance(1_000);
      return (await durably.getRun(sleeper.id))?.status === 'cancelled';
    }, 'the run below');
    gate.resolve();
  });
});

/** A job whose one step invokes `double`. */
function parentOf(child: typeof double) {
  return job('parent', (step) => step.invoke('child', child, { n: 1 }));
}
