import { expect } from 'vitest';
import { claim, newRun } from '../../../store/requests.ts';
import { contract } from '../../../support/contract.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idle } from '../../../support/idle.ts';
import { job } from '../../../support/jobs.ts';

const isRemote = ({ locks }: { readonly locks: string }) => locks === 'wait';

/** Runs whose payloads are of these sizes. */
const sized = (...bytes: number[]) =>
  bytes.map((size) => newRun({ payload: JSON.stringify('x'.repeat(size - 2)) }));

const MB = 1_000_000;

contract(
  'a claim over a network',
  (test) => {
    test('takes the oldest runs whose payloads fit into 4 MiB together, and says that others are left', async ({
      world,
    }) => {
      const { store } = await world.store();
      const runs = sized(1.9 * MB, 1.9 * MB, 1.9 * MB, 1.9 * MB, 1.9 * MB);
      await store.enqueue(runs);
      const ids = runs.map(({ id }) => id);
      const claims = [];
      for (let i = 0; i < 4; i++) claims.push(await claim(store, { limit: 10 }));
      expect(claims.map(({ runs, more }) => [runs.map(({ runId }) => runId), more])).toEqual([
        [ids.slice(0, 2), true],
        [ids.slice(2, 4), true],
        [ids.slice(4), false],
        [[], false],
      ]);
      expect(claims.flatMap((each) => each.runs.map(({ payload }) => payload))).toEqual(
        runs.map(({ payload }) => payload),
      );
    });

    test('takes one run whose payload alone is larger', async ({ world }) => {
      const { store } = await world.store();
      const runs = sized(4.5 * MB, 10, 4.5 * MB);
      await store.enqueue(runs.slice(0, 1));
      await store.enqueue(runs.slice(1, 2));
      await store.enqueue(runs.slice(2));
      for (const [i, more] of [true, true, false].entries()) {
        const taken = await claim(store, { limit: 10 });
        expect([taken.runs.map(({ runId }) => runId), taken.more]).toEqual([[runs[i]?.id], more]);
      }
    });

    test('says of a single run that another is left, however large they are', async ({ world }) => {
      const { store } = await world.store();
      const runs = sized(4.5 * MB, 4.5 * MB);
      for (const run of runs) await store.enqueue([run]);
      const claims = [];
      for (let i = 0; i < 3; i++) claims.push(await claim(store, { limit: 1 }));
      expect(claims.map(({ runs, more }) => [runs.map(({ runId }) => runId), more])).toEqual([
        [[runs[0]?.id], true],
        [[runs[1]?.id], false],
        [[], false],
      ]);
    });

    test('counts UTF-8 bytes, not characters', async ({ world }) => {
      const { store } = await world.store();
      const payload = JSON.stringify('é'.repeat(1.2 * MB));
      await store.enqueue([newRun({ payload })]);
      await store.enqueue([newRun({ payload })]);
      expect((await claim(store, { limit: 10 })).runs).toHaveLength(1);
    });

    test('says that none are left if their concurrency key is taken', async ({ world }) => {
      const { store } = await world.store();
      const [first, second] = sized(3 * MB, 3 * MB).map((run) => ({ ...run, concurrencyKey: 'k' }));
      if (first === undefined || second === undefined) throw new Error('no runs');
      await store.enqueue([first]);
      await store.enqueue([second]);
      const { runs, more } = await claim(store, { limit: 10 });
      expect([runs.map(({ runId }) => runId), more]).toEqual([[first.id], false]);
    });

    test('is followed by others at once, until a queue of large runs is empty', async ({ world }) => {
      const { durably } = await world.start({ clock: new FakeClock(), maxConcurrentRuns: 10 });
      await durably.stop();
      const seen: number[] = [];
      const { large } = durably.register({
        large: job('large', async (_, input) => {
          seen.push(String(input).length);
        }),
      });
      for (let i = 0; i < 6; i++) await large.trigger('x'.repeat(1.9 * MB));
      durably.start();
      // The clock stands still, so no poll finds them.
      await idle();
      expect(seen).toEqual(Array.from({ length: 6 }, () => 1.9 * MB));
    });
  },
  isRemote,
);
