import { expect } from 'vitest';
import { contract } from '../../../support/contract.ts';
import { job } from '../../../support/jobs.ts';
import { untilStatus } from '../../../support/runs.ts';
import { until } from '../../../support/until.ts';
import { PATIENT } from './patient.ts';

contract('a race of steps', (test) => {
  test('has the same winner however often it is replayed: what was stored first', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const winners: unknown[] = [];
    const { races } = durably.register({
      races: job('races', async (step) => {
        const winner = await Promise.race([step.waitForSignal('b'), step.waitForSignal('a')]);
        winners.push(winner);
        await step.waitForSignal('c');
        await step.waitForSignal('d');
        return winner;
      }),
    });
    const { id } = await races.trigger(0);
    const waitsFor = (count: number, name: string) =>
      until(async () => {
        const waits = (await durably.getRun(id))?.waits ?? [];
        return waits.length === count && waits.some(({ stepName }) => stepName === name);
      }, `a wait for ${name}`);
    await waitsFor(2, 'a');
    await durably.signal(id, 'a', 'A');
    await waitsFor(2, 'c');
    await durably.signal(id, 'b', 'B');
    await waitsFor(1, 'c');
    await durably.signal(id, 'c');
    await waitsFor(1, 'd');
    await durably.signal(id, 'd');
    expect((await untilStatus(durably, id, 'completed')).output).toBe('A');
    expect(new Set(winners)).toEqual(new Set(['A']));
  });

  test('goes to a stored step before a sleep that is over only now', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const winners: string[] = [];
    const { races } = durably.register({
      races: job('races', async (step) => {
        const slept = step.sleep('limit', '1h').then(() => 'late');
        const winner = await Promise.race([step.run('work', () => 'in time'), slept]);
        winners.push(winner);
        await step.waitForSignal('go');
        return winner;
      }),
    });
    const { id } = await races.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await tools.ageDue(id, 3_600_000);
    await until(() => winners.length === 2, 'the second execution');
    await durably.signal(id, 'go');
    await untilStatus(durably, id, 'completed');
    expect(new Set(winners)).toEqual(new Set(['in time']));
  });

  test('of short sleeps beside a wait for a signal still finds the signal', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const { naps } = durably.register({
      naps: job('naps', async (step) => {
        const stopped = step.waitForSignal('stop').then(() => 'stopped');
        for (let i = 0; i < 10_000; i++) {
          const next = await Promise.race([stopped, step.sleep(`nap ${i}`, 20).then(() => 'again')]);
          if (next === 'stopped') return i;
        }
        return -1;
      }),
    });
    const { id } = await naps.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'stop');
    expect((await untilStatus(durably, id, 'completed')).output).toBeGreaterThanOrEqual(0);
  });
});
