import { expect } from 'vitest';
import type { RunStatus } from '../../../src/core/run.ts';
import type { Durably } from '../../../src/index.ts';
import { Random } from '../../chaos/support/random.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { ageHeartbeat, nextEvent, recordEvents, untilLooked, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

const keyed = (concurrencyKey: string) => ({ concurrencyKey });

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

/** Records which inputs are running now, and which have started so far. */
function watch() {
  const started: unknown[] = [];
  const running = new Set<unknown>();
  let most = 0;
  return {
    started,
    running,
    get most() {
      return most;
    },
    async during(input: unknown, work: () => Promise<unknown>) {
      started.push(input);
      running.add(input);
      most = Math.max(most, running.size);
      try {
        return await work();
      } finally {
        running.delete(input);
      }
    },
  };
}

const startedIds = (durably: Durably) => {
  const events = recordEvents(durably, ['run:start', 'run:resume']);
  return () => events.map((event) => ('runId' in event ? event.runId : ''));
};

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

  test('run one run of a key at a time, in insertion order, across instances and jobs', async ({ world }) => {
    const seen = watch();
    const work = (_: unknown, input: unknown) => seen.during(input, () => idle());
    const instances = await Promise.all(
      [1, 2].map(() => world.instance({ maxConcurrentRuns: 4, pollingInterval: 5 })),
    );
    const [first] = instances.map(({ durably }) =>
      durably.register({ one: job('one', work), two: job('two', work) }),
    );
    await instances[0]?.durably.migrate();
    for (let i = 0; i < 16; i++) await first?.[i % 3 === 0 ? 'one' : 'two'].trigger(i, keyed('shared'));
    await Promise.all(instances.map(({ durably }) => durably.init()));
    await until(() => seen.started.length === 16 && seen.running.size === 0);
    expect(seen.most).toBe(1);
    expect(seen.started).toEqual(Array.from({ length: 16 }, (_, i) => i));
  });

  test('do not delay runs of other keys or without a key', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 5 });
    const gate = deferred();
    const running = new Set<unknown>();
    const { held } = durably.register({
      held: job('held', async (_, input) => {
        running.add(input);
        await gate.promise;
      }),
    });
    await held.batchTrigger([
      { input: 'a1', options: keyed('a') },
      { input: 'a2', options: keyed('a') },
      { input: 'b1', options: keyed('b') },
      { input: 'plain' },
      { input: 'b2', options: keyed('b') },
    ]);
    await until(() => running.size === 3);
    await idle();
    expect([...running].toSorted()).toEqual(['a1', 'b1', 'plain']);
    gate.resolve();
    await until(() => running.size === 5);
  });

  test('claim the next run of a key as soon as the previous one ends, however it ends', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    const { any } = durably.register({
      any: job('any', async (_, input) => {
        if (input === 'fail') throw new Error('failed');
        if (input === 'hang') await new Promise(() => undefined);
      }),
    });
    const runs = await any.batchTrigger(
      ['complete', 'fail', 'hang', 'last'].map((input) => ({ input, options: keyed('k') })),
    );
    await untilStatus(durably, runs[2]?.id ?? '', 'running');
    await durably.cancel(runs[2]?.id ?? '');
    await untilStatus(durably, runs[3]?.id ?? '', 'completed');
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

  test('do not run a handed-back run at the same time as the next one of its key', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 3 });
    const gate = deferred();
    let hangs = true;
    const { held, quick } = durably.register({
      held: job('held', () => (hangs ? new Promise(() => undefined) : gate.promise)),
      quick: job('quick', () => 1),
    });
    const ids = startedIds(durably);
    const [first, second] = await held.batchTrigger([1, 2].map((input) => ({ input, options: keyed('k') })));
    await until(() => ids().length === 1);
    await durably.stop({ timeoutMs: 0 });
    hangs = false;
    durably.start();
    await untilStatus(durably, first?.id ?? '', 'running');
    // The worker has free slots and takes another run into one.
    const other = await quick.trigger(0);
    await untilStatus(durably, other.id, 'completed');
    expect(ids()).toEqual([first?.id, first?.id, other.id]);
    gate.resolve();
    await untilStatus(durably, second?.id ?? '', 'completed');
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

  test("are not held by an unknown job's pending run, but by its running one", async ({ world }) => {
    const { durably: other } = await world.idle();
    const gate = deferred();
    const { unknown } = other.register({ unknown: job('unknown', () => gate.promise) });
    const foreign = await unknown.trigger(1, keyed('k'));
    const instance = await world.start({ pollingInterval: 5 });
    const { durably } = instance;
    const { known } = durably.register({ known: job('known', () => 1) });
    await untilStatus(durably, (await known.trigger(1, keyed('k'))).id, 'completed');
    other.start();
    await untilStatus(durably, foreign.id, 'running');
    const waiting = await known.trigger(2, keyed('k'));
    await untilLooked(instance);
    expect((await durably.getRun(waiting.id))?.status).toBe('pending');
    gate.resolve();
    await untilStatus(durably, waiting.id, 'completed');
  });

  test("stay held by a lost worker's run until it is taken over", async ({ world }) => {
    const { durably: lost } = await world.start({ clock: new FakeClock() });
    let hangs = true;
    const held = job('held', () => (hangs ? new Promise(() => undefined) : 1));
    const started = nextEvent(lost, 'run:start');
    const [first, second] = await lost
      .register({ held })
      .held.batchTrigger([1, 2].map((input) => ({ input, options: keyed('k') })));
    await started;
    hangs = false;
    const instance = await world.instance({ pollingInterval: 5, maxConcurrentRuns: 3 });
    const { durably } = instance;
    durably.register({ held });
    const ids = startedIds(durably);
    await durably.init();
    await untilLooked(instance);
    expect(ids()).toEqual([]);
    await ageHeartbeat(durably, first?.id ?? '', 31_000);
    await untilStatus(durably, second?.id ?? '', 'completed');
    expect(ids()).toEqual([first?.id, second?.id]);
  });

  test('find runs of other keys behind thousands that wait for one key', async ({ world }) => {
    const { durably } = await world.idle({ maxConcurrentRuns: 2 });
    const { quick } = durably.register({ quick: job('quick', () => 1) });
    await quick.batchTrigger(Array.from({ length: 3000 }, (_, input) => ({ input, options: keyed('busy') })));
    const other = await quick.trigger('other', keyed('quiet'));
    const ids = startedIds(durably);
    durably.start();
    await untilStatus(durably, other.id, 'completed');
    // The free key's run was claimed with the first run of the busy key, not after it.
    expect(ids().indexOf(other.id)).toBe(1);
    await durably.stop({ timeoutMs: 0 });
  });
});
