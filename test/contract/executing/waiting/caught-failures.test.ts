import { expect } from 'vitest';
import { ChildRunError } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { job } from '../../../support/jobs.ts';
import { untilStatus } from '../../../support/runs.ts';
import { AT_ONCE, PATIENT } from './patient.ts';

contract('a failed step whose job goes on and waits', (test) => {
  test('fails again without being called again', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    let calls = 0;
    const caught: unknown[] = [];
    const { catches } = durably.register({
      catches: job('catches', async (step) => {
        try {
          await step.run('fails', { retries: { limit: 1, ...AT_ONCE } }, () => {
            calls++;
            throw Object.assign(new RangeError('too far'), { code: 'E_FAR' });
          });
        } catch (error) {
          const { name, message, code } = error as RangeError & { code: string };
          caught.push([name, message, code]);
        }
        await step.waitForSignal('one');
        await step.waitForSignal('two');
        return calls;
      }),
    });
    const { id } = await catches.trigger(0);
    for (const name of ['one', 'two']) await durably.signal(id, name);
    expect((await untilStatus(durably, id, 'completed')).output).toBe(2);
    expect(caught.length).toBeGreaterThanOrEqual(2);
    for (const each of caught) expect(each).toEqual(['RangeError', 'too far', 'E_FAR']);
  });

  test('starts no other run: two that fail one after the other end the run that catches both', async ({
    world,
  }) => {
    const { durably } = await world.start(PATIENT);
    const fails = job('fails', () => {
      throw new Error('no');
    });
    const { parent } = durably.register({
      fails,
      parent: job('parent', async (step) => {
        const both = [step.invoke('one', fails, 0), step.invoke('other', fails, 0)];
        const settled = await Promise.allSettled(both);
        return settled.map(
          (each) => each.status === 'rejected' && each.reason instanceof ChildRunError && each.reason.error,
        );
      }),
    });
    const { id } = await parent.trigger(0);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual(['no', 'no']);
    expect(await durably.getRuns({ parentRunId: id })).toHaveLength(2);
  });

  test('is called again by a retry by hand', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    let isBroken = true;
    const { catches } = durably.register({
      catches: job('catches', async (step) => {
        const result = await step
          .run('flaky', () => {
            if (isBroken) throw new Error('broken');
            return 'well';
          })
          .catch(() => 'caught');
        await step.waitForSignal('go');
        if (isBroken) throw new Error('and now the job');
        return result;
      }),
    });
    const { id } = await catches.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'go');
    await untilStatus(durably, id, 'failed');
    isBroken = false;
    await durably.retry(id);
    expect((await untilStatus(durably, id, 'completed')).output).toBe('well');
  });
});
