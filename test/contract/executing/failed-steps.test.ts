import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { journalTypes, rejectionOf, untilStatus } from '../../support/runs.ts';

contract('a failed step', (test) => {
  test('is executed again by the next attempt, which replaces its row', async ({ world }) => {
    const { durably } = await world.start();
    let isBroken = true;
    const { flaky } = durably.register({
      flaky: job('flaky', async (step) => {
        await step.run('first', () => 1);
        return await step.run('flaky', () => {
          if (isBroken) throw new Error('not yet');
          return 'mended';
        });
      }),
    });
    const run = await flaky.trigger(0);
    const failed = await untilStatus(durably, run.id, 'failed');
    expect(failed).toMatchObject({ error: 'not yet', stepCount: 1 });
    expect(await durably.getSteps(run.id)).toMatchObject([
      { name: 'first', status: 'completed' },
      { name: 'flaky', index: 1, status: 'failed', error: 'not yet', output: null },
    ]);
    isBroken = false;
    await durably.retry(run.id);
    expect(await untilStatus(durably, run.id, 'completed')).toMatchObject({ output: 'mended', stepCount: 2 });
    expect((await durably.getSteps(run.id))[1]).toMatchObject({
      index: 1,
      status: 'completed',
      output: 'mended',
      error: null,
    });
  });

  test('may be called again by a job that caught the failure, and keeps its index', async ({ world }) => {
    const { durably } = await world.start();
    const { persistent } = durably.register({
      persistent: job('persistent', async (step) => {
        const outcomes: unknown[] = [];
        for (let i = 0; i < 3; i++) {
          const attempt = step.run('flaky', () => {
            if (i < 2) throw new Error(`failure ${i}`);
            return i;
          });
          outcomes.push(await attempt.catch((error: Error) => error.message));
          if (i === 0) await step.run('between', () => 'x');
        }
        return outcomes;
      }),
    });
    const { id, output } = await persistent.triggerAndWait(0);
    expect(output).toEqual(['failure 0', 'failure 1', 2]);
    expect(await durably.getSteps(id)).toMatchObject([
      { name: 'flaky', index: 0, status: 'completed', output: 2, error: null },
      { name: 'between', index: 1, status: 'completed' },
    ]);
    expect((await durably.getRun(id))?.stepCount).toBe(2);
    expect((await journalTypes(durably, id)).filter((type) => type === 'step:fail')).toHaveLength(2);
  });

  test('stays on record if the job catches the failure and the run completes', async ({ world }) => {
    const { durably } = await world.start();
    const { lenient } = durably.register({
      lenient: job('lenient', async (step) => {
        await rejectionOf(step.run('fails', () => Promise.reject(new Error('caught'))));
        return 'fine';
      }),
    });
    const { id, output } = await lenient.triggerAndWait(0);
    expect(output).toBe('fine');
    expect(await durably.getSteps(id)).toMatchObject([{ status: 'failed', error: 'caught' }]);
    expect(await durably.getRun(id)).toMatchObject({ stepCount: 0, status: 'completed', error: null });
  });
});
