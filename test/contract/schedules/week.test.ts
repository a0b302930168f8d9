import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { until } from '../../support/until.ts';

const HOUR_MS = 3_600_000;
const HOURS = 7 * 24;

contract(
  'a week of ten schedules and two processes',
  (test) => {
    test('fires each slot once and skips none', async ({ world }) => {
      const instances = await Promise.all(
        [1, 2].map(() => world.start({ pollingInterval: 10, maxConcurrentRuns: 10 })),
      );
      for (const { durably } of instances) durably.register({ tick: job('tick', () => 1) });
      const [first] = instances;
      if (first === undefined) throw new Error('no instance');
      const { durably } = first;
      const every = [1, 2, 3, 4, 6, 8, 12, 24, 48, 84];
      for (const hours of every) {
        await durably.schedule({ id: `every ${hours}`, jobName: 'tick', every: `${hours}h` });
      }
      const tools = await world.tools();
      const slotsUntil = (hour: number) => every.reduce((sum, hours) => sum + Math.floor(hour / hours), 0);
      const fired = async () => {
        const { n } = await durably.db
          .selectFrom('durably_runs')
          .select(({ fn }) => fn.countAll<number>().as('n'))
          .executeTakeFirstOrThrow();
        return n;
      };
      for (let hour = 1; hour <= HOURS; hour++) {
        await tools.ageSchedules(HOUR_MS);
        await until(async () => (await fired()) >= slotsUntil(hour), `the slots of hour ${hour}`);
      }
      await until(async () => (await durably.getRuns({ status: ['pending', 'running'] })).length === 0);
      expect(await fired()).toBe(slotsUntil(HOURS));
      for (const hours of every) {
        const runs = await durably.getRuns({ scheduleId: `every ${hours}`, limit: 1_000 });
        expect([hours, runs.length]).toEqual([hours, Math.floor(HOURS / hours)]);
      }
    }, 60_000);
  },
  ({ name }) => name === "the service's own on a file",
);
