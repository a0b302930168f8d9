import { expect } from 'vitest';
import { ChildRunError } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { job } from '../../../support/jobs.ts';
import { journalTypes, untilStatus } from '../../../support/runs.ts';
import { deferred, until } from '../../../support/until.ts';
import { childOf, double, parentOf } from './children.ts';
import { PATIENT } from './patient.ts';

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

  test('starts one run, however often its own run is taken over', async ({ world }) => {
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

  test('returns an output that is too large for the claim, and null if there is none', async ({ world }) => {
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
});
