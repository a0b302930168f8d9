import { expect } from 'vitest';
import { STATS_BUCKETS } from '../../../src/core/stats/stats.ts';
import type { StatsLook } from '../../../src/core/stats/stats-store.ts';
import type { Store } from '../../../src/core/store.ts';
import { contract } from '../../support/contract.ts';
import { append, claimOne, completed, enqueue, failed, newRun, running } from '../requests.ts';

const HOUR_MS = STATS_BUCKETS['1h'].spanMs;
const DAY_MS = STATS_BUCKETS['1d'].spanMs;

/** The sums of all buckets of the last two days, by job. */
async function sums(store: Store, given: Partial<StatsLook> = {}) {
  const look = { spanMs: HOUR_MS, since: { agoMs: 2 * DAY_MS }, jobNames: null, limit: 100, ...given };
  const { rows } = await store.readStats(look);
  const jobs: Record<string, Record<string, number>> = {};
  for (const { jobName, started, completed, failed, cancelled, durations } of rows) {
    const timed = Object.values(JSON.parse(durations) as Record<string, number>);
    const numbers = { started, completed, failed, cancelled, timed: timed.reduce((sum, n) => sum + n, 0) };
    const job = jobs[jobName] ?? {};
    jobs[jobName] = job;
    for (const [name, number] of Object.entries(numbers)) job[name] = (job[name] ?? 0) + number;
  }
  return jobs;
}

async function foldAll(store: Store): Promise<void> {
  while (await store.foldStats());
}

contract('the stats of a store', (test) => {
  // Whether an event was added before, or is still to be read from the journal, must not show.
  test.for([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'are the same if new events are added after step %i',
    async (folds, { world }) => {
      const { store } = await world.store();
      const ids: string[] = [];
      const steps: (() => Promise<unknown>)[] = [
        async () => {
          for (let i = 0; i < 4; i++) ids.push((await running(store)).runId);
          await append(store, { runId: ids[0] ?? '', fence: 1 }, [completed()]);
        },
        async () => await append(store, { runId: ids[1] ?? '', fence: 1 }, [failed()]),
        async () => await store.command('cancel', ids[2] ?? ''),
        async () => await append(store, await running(store, { jobName: 'other' }), [completed()]),
        async () => await store.command('delete', ids[0] ?? ''),
        async () => {
          await store.command('retry', ids[2] ?? '');
          await append(store, await claimOne(store), [completed()]);
        },
        async () =>
          await store.commandAll({
            name: 'delete',
            runs: [1, 2].map((i) => ({ runId: ids[i] ?? '', jobName: 'job' })),
            statuses: ['completed', 'failed'],
          }),
        async () => {
          while (await store.deletePortion());
        },
      ];
      for (const [i, step] of steps.entries()) {
        if (i === folds) await foldAll(store);
        await step();
      }
      const expected = {
        // The run that was cancelled, retried and completed counts at each of these. A retried run has no duration.
        job: { started: 5, completed: 2, failed: 1, cancelled: 1, timed: 2 },
        other: { started: 1, completed: 1, failed: 0, cancelled: 0, timed: 1 },
      };
      expect(await sums(store)).toEqual(expected);
      await foldAll(store);
      expect(await sums(store)).toEqual(expected);
      for (const { spanMs } of Object.values(STATS_BUCKETS)) {
        expect(await sums(store, { spanMs })).toEqual(expected);
        expect(await sums(store, { spanMs, jobNames: ['other', 'unknown'] })).toEqual({
          other: expected.other,
        });
        expect(await sums(store, { spanMs, jobNames: [] })).toEqual({});
      }
    },
  );

  test('count each event once if several processes add them at once', async ({ world }) => {
    const stores = await Promise.all([1, 2, 3].map(async () => (await world.store()).store));
    const [store] = stores as [Store];
    for (let i = 0; i < 5; i++) {
      await append(store, await running(store), [completed()]);
      await Promise.all(stores.map(foldAll));
    }
    await append(store, await running(store), [failed()]);
    await Promise.all(stores.map((each) => each.command('delete', 'unknown')));
    await Promise.all(stores.flatMap((each) => [foldAll(each), foldAll(each)]));
    expect(await sums(store)).toEqual({
      job: { started: 6, completed: 5, failed: 1, cancelled: 0, timed: 6 },
    });
  });

  test('are added in portions', async ({ world }) => {
    const { store } = await world.store();
    for (let i = 0; i < 3; i++) await store.enqueue(Array.from({ length: 1_000 }, () => newRun()));
    expect(await store.foldStats()).toBe(true);
    expect(await store.foldStats()).toBe(false);
    expect(await store.foldStats()).toBe(false);
  });

  test('tell the bucket of each event, and the durations between the first start and the end', async ({
    world,
  }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const took = [0, 42, 99, 100, 1_234, 59_999, 7_200_000];
    for (const [i, ms] of took.entries()) {
      const run = await running(store);
      await append(store, run, [completed()]);
      const { startedAt, completedAt } = (await store.getRun(run.runId)) ?? {};
      const already = Date.parse(completedAt ?? '') - Date.parse(startedAt ?? '');
      await tools.ageStart(run.runId, ms - already);
      // Each in an hour of its own.
      await tools.ageEvents(run.runId, i * HOUR_MS);
      await tools.ageStart(run.runId, i * HOUR_MS);
    }
    const read = async () => {
      const { rows } = await store.readStats({
        spanMs: HOUR_MS,
        since: { agoMs: DAY_MS },
        jobNames: null,
        limit: 100,
      });
      return rows
        .filter(({ completed }) => completed > 0)
        .sort((one, other) => other.atMs - one.atMs)
        .map(({ atMs, durations }) => [atMs % HOUR_MS, Object.keys(JSON.parse(durations)).join()]);
    };
    const expected = ['0', '42', '99', '110', '212', '359', '572'].map((bin) => [0, bin]);
    expect(await read()).toEqual(expected);
    await foldAll(store);
    expect(await read()).toEqual(expected);
  });

  test('begin with the bucket of the time that is asked for', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const run = await running(store);
    await tools.ageEvents(run.runId, 3 * HOUR_MS);
    await enqueue(store);
    const look = { spanMs: HOUR_MS, jobNames: null, limit: 100 };
    const since = async (agoMs: number) => await store.readStats({ ...look, since: { agoMs } });
    const { rows, sinceMs, asOfMs } = await since(4 * HOUR_MS);
    expect(rows).toMatchObject([{ started: 1 }]);
    const [{ atMs = 0 } = {}] = rows;
    expect([sinceMs % HOUR_MS, atMs % HOUR_MS]).toEqual([0, 0]);
    expect(asOfMs).toBeGreaterThan(atMs + 2 * HOUR_MS);
    expect((await since(HOUR_MS)).rows).toEqual([]);
    expect((await store.readStats({ ...look, since: { atMs: atMs + HOUR_MS - 1 } })).sinceMs).toBe(atMs);
    expect((await store.readStats({ ...look, since: { atMs: atMs + HOUR_MS } })).rows).toEqual([]);
    await foldAll(store);
    expect((await store.readStats({ ...look, since: { atMs: atMs + HOUR_MS - 1 } })).rows).toHaveLength(1);
    expect((await store.readStats({ ...look, since: { atMs: atMs + HOUR_MS } })).rows).toEqual([]);
  });
});
