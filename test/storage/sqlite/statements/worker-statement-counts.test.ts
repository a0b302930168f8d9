import { expect } from 'vitest';
import { WAKE } from '../../../../src/storage/sqlite/statements/claims/due-sql.ts';
import { contract } from '../../../support/contract.ts';
import { tripsOf } from '../../../support/dialects/recording-dialect.ts';
import { idle } from '../../../support/idle.ts';
import { echo, job } from '../../../support/jobs.ts';
import { nextEvent } from '../../../support/runs.ts';
import { deferred } from '../../../support/until.ts';
import { hasBatches } from '../support/abilities.ts';
import { counted } from './counted.ts';

contract('statements', (test) => {
  test('an idle poll takes one statement, also if a run is stale', async ({ world }) => {
    const { during, durably, clock } = await counted(world, { pollingInterval: 400 });
    durably.register({ echo, other: job('other', () => 1) });
    // Without batches, looking for waiting runs that are due, and for schedules, are statements of their own.
    const trips = hasBatches(world) ? 1 : 3;
    for (let poll = 0; poll < 3; poll++) {
      expect(tripsOf(await during(() => clock.advance(400)))).toBe(trips);
    }
  });

  test('a poll after work on demand is one claim, not many', async ({ world }) => {
    const { during, durably, clock } = await counted(world, { pollingInterval: 1_000 });
    durably.register({ echo });
    await during(() => clock.advance(1_000));
    await during(() => clock.advance(700));
    await during(() => durably.processOne());
    expect(tripsOf(await during(() => clock.advance(400)))).toBeLessThanOrEqual(hasBatches(world) ? 1 : 3);
  });

  test('a worker without jobs sends no statement', async ({ world }) => {
    const { during, clock } = await counted(world, { pollingInterval: 400 });
    expect(await during(() => clock.advance(4_000))).toEqual([]);
  });

  test('a worker without free slots claims nothing, and looks for what is due by one statement per interval', async ({
    world,
  }) => {
    const { during, durably, clock } = await counted(world, { pollingInterval: 400 });
    const gate = deferred();
    const { held } = durably.register({ held: job('held', () => gate.promise) });
    const started = nextEvent(durably, 'run:start');
    await held.trigger(0);
    await started;
    await idle();
    expect(await during(() => clock.advance(399))).toEqual([]);
    for (const ms of [1, 400, 400]) {
      const made = await during(() => clock.advance(ms));
      expect(made.map(({ sql }) => sql)).toEqual([WAKE, expect.stringContaining('durably_schedules_due')]);
      // They leave together.
      if (hasBatches(world)) expect(tripsOf(made)).toBe(1);
    }
    gate.resolve();
  });

  test('heartbeats take one statement per interval, however many runs there are', async ({ world }) => {
    const { during, durably, clock } = await counted(world, {
      maxConcurrentRuns: 7,
      heartbeatInterval: 1_000,
      pollingInterval: 1_000_000,
    });
    const gate = deferred();
    const { held } = durably.register({ held: job('held', () => gate.promise) });
    await held.batchTrigger(Array.from({ length: 7 }, (_, i) => i));
    await idle();
    for (let beat = 0; beat < 3; beat++) {
      const made = await during(() => clock.advance(1_000));
      expect(tripsOf(made)).toBe(1);
    }
    gate.resolve();
    await idle();
    // Only what the runs told is added to the stats.
    const later = await during(() => clock.advance(10_000));
    expect(later.filter(({ sql }) => !sql.includes('durably_stats_place'))).toEqual([]);
  });

  test('handing back any number of runs takes one statement', async ({ world }) => {
    const { during, durably, clock } = await counted(world, { maxConcurrentRuns: 5 });
    const { held } = durably.register({ held: job('held', () => new Promise(() => undefined)) });
    await held.batchTrigger([1, 2, 3, 4, 5]);
    await idle();
    const made = await during(async () => {
      const stopped = durably.stop({ timeoutMs: 100 });
      clock.advance(100);
      await stopped;
    });
    expect(tripsOf(made)).toBe(1);
  });
});
