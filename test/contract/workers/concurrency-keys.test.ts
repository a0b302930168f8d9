import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { ageHeartbeat, nextEvent, untilLooked, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';
import { keyed, startedIds, watch } from './keyed-runs.ts';

contract('concurrency keys', (test) => {
  test('run one run of a key at a time, in insertion order, across instances and jobs', async ({ world }) => {
    const seen = watch();
    const work = (_: unknown, input: unknown) => seen.during(input, () => nextTurn());
    const instances = await Promise.all(
      [1, 2].map(() => world.instance({ maxConcurrentRuns: 4, pollingInterval: 25 })),
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

  test("are not held by an unknown job's pending run, but by its running one", async ({ world }) => {
    const { durably: other } = await world.idle();
    const gate = deferred();
    const { unknown } = other.register({ unknown: job('unknown', () => gate.promise) });
    const foreign = await unknown.trigger(1, keyed('k'));
    const instance = await world.start({ pollingInterval: 25 });
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
    const instance = await world.instance({ pollingInterval: 25, maxConcurrentRuns: 3 });
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
