import { expect } from 'vitest';
import { contract } from '../../../support/contract.ts';
import { job } from '../../../support/jobs.ts';
import { untilStatus } from '../../../support/runs.ts';
import { deferred } from '../../../support/until.ts';
import { childOf, double } from './children.ts';
import { PATIENT } from './patient.ts';

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
