import { expect } from 'vitest';
import { contract } from '../../../support/contract.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { job } from '../../../support/jobs.ts';
import { journalTypes, untilStatus } from '../../../support/runs.ts';
import { deferred, until } from '../../../support/until.ts';
import { childOf } from './children.ts';

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
