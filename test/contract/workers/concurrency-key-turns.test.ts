import { expect } from 'vitest';
import type { RunStatus } from '../../../src/core/run.ts';
import type { Durably } from '../../../src/index.ts';
import { Random } from '../../chaos/support/random.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';
import { keyed, startedIds, watch } from './keyed-runs.ts';

/** The pending runs that have the turn of their key. */
async function turnsOf(durably: Durably): Promise<string[]> {
  const rows = await durably.db
    .selectFrom('durably_runs')
    .select('id')
    .where('status', '=', 'pending')
    .where('key_turn', '=', 1)
    .where('concurrency_key', 'is not', null)
    .execute();
  return rows.map(({ id }) => id).sort();
}

/** The first pending run of each key and job: of the highest priority, the oldest. */
async function firstOf(durably: Durably): Promise<string[]> {
  const rows = await durably.db
    .selectFrom('durably_runs')
    .select(['id', 'job_name', 'concurrency_key'])
    .where('status', '=', 'pending')
    .where('concurrency_key', 'is not', null)
    .orderBy('priority')
    .orderBy('seq', 'desc')
    .execute();
  // The last one that is entered is the first in the order of claims.
  const first = new Map(
    rows.map(({ id, job_name, concurrency_key }) => [`${job_name} ${concurrency_key}`, id]),
  );
  return [...first.values()].sort();
}

contract('concurrency keys', (test) => {
  test('give the turn to the first pending run of each key and job, whatever happens to the runs', async ({
    world,
  }) => {
    const { durably } = await world.idle();
    const handles = [
      durably.register({ one: job('one', () => 1) }).one,
      durably.register({ two: job('two', () => 2) }).two,
    ];
    const next: Record<RunStatus, readonly RunStatus[]> = {
      pending: ['running', 'cancelled'],
      waiting: ['pending', 'cancelled'],
      running: ['pending', 'waiting', 'completed', 'failed', 'cancelled'],
      failed: ['pending'],
      cancelled: ['pending'],
      completed: [],
    };
    const random = new Random(7);
    for (let i = 0; i < 24; i++) {
      const priority = random.pick([-1, 0, 0, 1]);
      await random.pick(handles).trigger(i, { priority, ...random.pick([keyed('a'), keyed('b'), {}]) });
      expect(await turnsOf(durably)).toEqual(await firstOf(durably));
    }
    for (let i = 0; i < 200; i++) {
      const run = random.pick((await durably.getRuns()).filter(({ status }) => status !== 'completed'));
      const status = random.pick(next[run.status]);
      await durably.db.updateTable('durably_runs').set({ status }).where('id', '=', run.id).execute();
      expect(await turnsOf(durably)).toEqual(await firstOf(durably));
    }
  });

  test('pass the turn to the next run when a waiting run is cancelled', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    const gate = deferred();
    const { held } = durably.register({ held: job('held', () => gate.promise) });
    const ids = startedIds(durably);
    const runs = await held.batchTrigger([1, 2, 3].map((input) => ({ input, options: keyed('k') })));
    const [first, second, third] = runs.map(({ id }) => id);
    await until(() => ids().length === 1);
    await durably.cancel(second ?? '');
    gate.resolve();
    await untilStatus(durably, third ?? '', 'completed');
    expect(ids()).toEqual([first, third]);
  });

  test('put a retried run ahead of runs that were triggered later', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    const gate = deferred();
    const { held } = durably.register({
      held: job('held', async (_, input) => {
        if (input === 'fails' && attempts++ === 0) throw new Error('once');
        await gate.promise;
      }),
    });
    let attempts = 0;
    const ids = startedIds(durably);
    const trigger = async (input: string) => (await held.trigger(input, keyed('k'))).id;
    const fails = await trigger('fails');
    await untilStatus(durably, fails, 'failed');
    const second = await trigger('second');
    await until(() => ids().length === 2);
    const third = await trigger('third');
    await durably.retry(fails);
    const fourth = await trigger('fourth');
    gate.resolve();
    await untilStatus(durably, fourth, 'completed');
    expect(ids()).toEqual([fails, second, fails, third, fourth]);
  });

  test('put a handed-back run ahead of runs that were triggered later', async ({ world }) => {
    const { durably } = await world.start();
    let hangs = true;
    const { held } = durably.register({
      held: job('held', () => (hangs ? new Promise(() => undefined) : 1)),
    });
    const ids = startedIds(durably);
    const [first, second] = await held.batchTrigger([1, 2].map((input) => ({ input, options: keyed('k') })));
    await until(() => ids().length === 1);
    await durably.stop({ timeoutMs: 0 });
    hangs = false;
    durably.start();
    await untilStatus(durably, second?.id ?? '', 'completed');
    expect(ids()).toEqual([first?.id, first?.id, second?.id]);
  });

  test.for([
    { cancelled: [1, 2, 3], retried: [1, 2, 3] },
    { cancelled: [3, 2, 1], retried: [3, 2] },
    { cancelled: [2, 3, 1], retried: [3, 1, 2] },
  ])(
    'cancelled as $cancelled and retried as $retried they take turns, the oldest first',
    async ({ cancelled, retried }, { world }) => {
      const { durably } = await world.idle({ maxConcurrentRuns: 3 });
      const seen = watch();
      const { work } = durably.register({
        work: job('work', (_, input) => seen.during(input, () => idle())),
      });
      const runs = await work.batchTrigger([1, 2, 3].map((input) => ({ input, options: keyed('k') })));
      const idOf = (input: number) => runs[input - 1]?.id ?? '';
      for (const input of cancelled) await durably.cancel(idOf(input));
      for (const input of retried) await durably.retry(idOf(input));
      durably.start();
      for (const input of retried) await untilStatus(durably, idOf(input), 'completed');
      expect(seen.started).toEqual(retried.toSorted());
      expect(seen.most).toBe(1);
    },
  );

  test('put a retried run of one job ahead of runs of other jobs', async ({ world }) => {
    const { durably } = await world.idle();
    const { a, b } = durably.register({ a: job('a', () => 1), b: job('b', () => 1) });
    const first = await a.trigger(1, keyed('k'));
    await durably.cancel(first.id);
    const others = [
      await b.trigger(1, keyed('k')),
      await a.trigger(2, keyed('k')),
      await b.trigger(2, keyed('k')),
    ];
    await durably.retry(first.id);
    const ids = startedIds(durably);
    durably.start();
    await untilStatus(durably, others[2]?.id ?? '', 'completed');
    expect(ids()).toEqual([first.id, ...others.map(({ id }) => id)]);
  });
});
