import { expect } from 'vitest';
import type { StepContext } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { databaseError, failStatements } from '../../support/dialects/intercepted-dialect.ts';
import { job } from '../../support/jobs.ts';
import { rejectionOf, untilStatus } from '../../support/runs.ts';
import type { World } from '../../support/world.ts';

/** Executes a run on a database that refuses values containing HUGE, like one for which they are too large. */
async function execute(world: World, run: (step: StepContext) => unknown) {
  const refuse = ({ parameters }: { parameters: readonly unknown[] }) =>
    parameters.some((value) => String(value).includes('HUGE')) ? databaseError('SQLITE_TOOBIG') : undefined;
  const { durably } = await world.start({ wrap: (dialect) => failStatements(dialect, refuse) });
  const { id } = await durably.register({ task: job('task', run) }).task.trigger(0);
  return { durably, id };
}

contract(
  'a value that the database refuses',
  (test) => {
    test("fails the step whose result it is, by name and without the driver's words", async ({ world }) => {
      const { durably, id } = await execute(world, (step) => step.run('big', () => 'HUGE'));
      const error = 'Step "big": the database refused its result';
      expect(await untilStatus(durably, id, 'failed')).toMatchObject({ error, stepCount: 0 });
      expect(await durably.getSteps(id)).toMatchObject([{ name: 'big', status: 'failed', error }]);
    });

    test('can be caught by the job, which continues', async ({ world }) => {
      const { durably, id } = await execute(world, async (step) => {
        await step.run('big', () => 'HUGE').catch(() => undefined);
        return await step.run('big', () => 'small');
      });
      expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: 'small', stepCount: 1 });
    });

    test('fails the run whose output it is', async ({ world }) => {
      const { durably, id } = await execute(world, () => 'HUGE');
      const run = await untilStatus(durably, id, 'failed');
      expect(run.error).toBe('Invalid output: the database refused it');
    });

    test("still lets a step fail if it is the step's error", async ({ world }) => {
      const { durably, id } = await execute(world, async (step) => {
        await step.run('bad', () => Promise.reject(new Error('HUGE'))).catch(() => undefined);
        return 'caught';
      });
      expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: 'caught', attempt: 1 });
      const error = 'The database refused the text of its error';
      expect(await durably.getSteps(id)).toMatchObject([{ name: 'bad', status: 'failed', error }]);
    });

    test("still lets a run fail if it is the run's error", async ({ world }) => {
      const { durably, id } = await execute(world, () => Promise.reject(new Error('HUGE')));
      const run = await untilStatus(durably, id, 'failed');
      expect(run).toMatchObject({
        error: 'The run failed, and the database refused the text of its error',
        attempt: 1,
      });
    });
  },
  ({ use }) => use === undefined,
);

contract('a statement that the database refuses', (test) => {
  test("is not blamed on a missing migration if that can't be checked", async ({ world }) => {
    let isBroken = false;
    const refuse = () => (isBroken ? databaseError('SQLITE_ERROR') : undefined);
    const { durably } = await world.idle({ wrap: (dialect) => failStatements(dialect, refuse) });
    isBroken = true;
    expect((await rejectionOf(durably.getRun('run_1'))).message).not.toContain('not migrated');
    isBroken = false;
  });
});
