import { expect } from 'vitest';
import { type StepContext, StepError } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { job } from '../../../support/jobs.ts';
import { rejectionOf, untilStatus } from '../../../support/runs.ts';
import { deferred } from '../../../support/until.ts';
import { double } from './children.ts';
import { PATIENT } from './patient.ts';

contract('inside the function of a step', (test) => {
  test.for([
    ['a wait for a signal', (step: StepContext) => step.waitForSignal('inner', { timeout: '1s' })],
    ['an invoked job', (step: StepContext) => step.invoke('inner', double, { n: 1 })],
  ] as const)('%s is refused, because the run is not put to wait meanwhile', async ([, call], { world }) => {
    const { durably } = await world.start(PATIENT);
    const { outer } = durably.register({
      double,
      outer: job('outer', (step) =>
        step.run('outer', async () => {
          const error = await rejectionOf(call(step));
          return [error instanceof StepError, error.message];
        }),
      ),
    });
    const { id } = await outer.trigger(0);
    const message = expect.stringContaining('can\'t be called inside step "outer"');
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([true, message]);
  });

  test('a step that has to be put off does not wait for the step around it', async ({ world }) => {
    const { durably } = await world.idle();
    const [begun, gate] = [deferred(), deferred()];
    const { nested } = durably.register({
      nested: job('nested', (step) =>
        step.run('outer', async () => {
          await step.run('first', () => {
            begun.resolve();
            return gate.promise;
          });
          return await step.run('second', () => 'done');
        }),
      ),
    });
    const stop = new AbortController();
    const working = (async () => {
      const { id } = await nested.trigger(0);
      await durably.processUntilIdle({ signal: stop.signal });
      return id;
    })();
    await begun.promise;
    stop.abort();
    gate.resolve();
    const id = await working;
    expect((await durably.getRun(id))?.status).toBe('pending');
    await durably.processUntilIdle();
    expect((await durably.getRun(id))?.output).toBe('done');
  });
});
