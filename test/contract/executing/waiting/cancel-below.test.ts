import { expect } from 'vitest';
import { contract } from '../../../support/contract.ts';
import { job } from '../../../support/jobs.ts';
import { journalTypes, rejectionOf, untilStatus } from '../../../support/runs.ts';
import { deferred, until } from '../../../support/until.ts';
import { childOf, double } from './children.ts';
import { PATIENT } from './patient.ts';

contract('cancelling a run', (test) => {
  test('cancels all active runs below it, and tells each', async ({ world }) => {
    const { durably } = await world.start({ ...PATIENT, maxConcurrentRuns: 4 });
    const [begun, aborted] = [deferred(), deferred()];
    const { top } = durably.register({
      leaf: job('leaf', (step) =>
        step.run('works', async (signal) => {
          signal.addEventListener('abort', () => aborted.resolve());
          begun.resolve();
          await aborted.promise;
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
    await begun.promise;
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
