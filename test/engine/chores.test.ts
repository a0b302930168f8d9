import { describe, expect, it } from 'vitest';
import { EventBus } from '../../src/engine/events/event-bus.ts';
import { Housekeeping } from '../../src/engine/housekeeping.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { fakeStore } from '../support/fake-store.ts';
import { idle } from '../support/idle.ts';

const MINUTE_MS = 60_000;

type ChoreName = 'cancellation' | 'deletion' | 'purge';

/** Chores on a fake store that records what they do. `fails` names the chore that rejects. */
function chores({ fails, hasWebhooks = false }: { fails?: ChoreName; hasWebhooks?: boolean } = {}) {
  const clock = new FakeClock();
  const bus = new EventBus(clock);
  const done: string[] = [];
  const portionsOfThrottles: boolean[] = [];
  const folds: number[] = [];
  const portionsOfStats: boolean[] = [];
  const foldFailures: boolean[] = [];
  const errors: unknown[] = [];
  const oldDeliveries: { runId: string; jobName: string }[][] = [];
  bus.on('worker:error', ({ context, error }) => errors.push(`${context}: ${error}`));
  const note = (name: ChoreName) => {
    done.push(name);
    if (name === fails) throw new Error(`${name} failed`);
  };
  const portion = (name: ChoreName) => async () => {
    note(name);
    return false;
  };
  const store = fakeStore({
    cancelBelow: async () => {
      note('cancellation');
      return { cancelled: [], more: false };
    },
    noticeLimits: async () => {},
    foldStats: async () => {
      folds.push(clock.monotonicMs());
      if (foldFailures.shift()) throw new Error('no database');
      return portionsOfStats.shift() ?? false;
    },
    purgeDeliveries: async () => oldDeliveries.shift() ?? [],
    deletePortion: portion('deletion'),
    purgePortion: portion('purge'),
    forgetThrottles: async () => portionsOfThrottles.shift() ?? false,
  });
  const housekeeping = new Housekeeping({ store, bus, clock, hasWebhooks });
  const pass = async (minutes: number) => {
    clock.advance(minutes * MINUTE_MS);
    await idle();
  };
  const passSeconds = async (seconds: number) => {
    clock.advance(seconds * 1000);
    await idle();
  };
  /** Without the cancellations, of which there are many. */
  const cleared = () => done.filter((name) => name !== 'cancellation');
  return {
    housekeeping,
    bus,
    done,
    cleared,
    errors,
    pass,
    passSeconds,
    portionsOfThrottles,
    folds,
    portionsOfStats,
    foldFailures,
    oldDeliveries,
  };
}

describe('the chores', () => {
  it('remove old deliveries of webhooks where there are some, portion by portion', async () => {
    const { housekeeping, bus, oldDeliveries, pass, passSeconds } = chores({ hasWebhooks: true });
    const deleted: string[] = [];
    bus.on('run:delete', ({ runId }) => deleted.push(runId));
    oldDeliveries.push([{ runId: 'one', jobName: 'j' }], [{ runId: 'two', jobName: 'j' }]);
    housekeeping.start();
    await passSeconds(59);
    expect(deleted).toEqual([]);
    for (const _portion of ['one', 'two', 'none']) await passSeconds(1);
    expect(deleted).toEqual(['one', 'two']);
    oldDeliveries.push([{ runId: 'three', jobName: 'j' }]);
    await pass(58);
    expect(deleted).toEqual(['one', 'two']);
    await pass(1);
    expect(deleted).toEqual(['one', 'two', 'three']);
  });

  it('are done each hour, and rows of deleted runs also ten minutes after the start', async () => {
    const { housekeeping, cleared, pass } = chores();
    housekeeping.start();
    await pass(9);
    expect(cleared()).toEqual([]);
    await pass(1);
    expect(cleared()).toEqual(['deletion']);
    await pass(50);
    expect(cleared().slice(1).sort()).toEqual(['deletion', 'purge']);
    await pass(60);
    expect(cleared().slice(3).sort()).toEqual(['deletion', 'purge']);
  });

  it('cancel the runs below runs whose time was up soon after a start, and each ten seconds', async () => {
    const { housekeeping, done, passSeconds } = chores();
    housekeeping.start();
    for (const [n, seconds] of [2, 8, 10, 10].entries()) {
      await passSeconds(seconds);
      expect(done).toEqual(Array(n + 1).fill('cancellation'));
    }
  });

  it('cancel those runs a second later if the database failed', async () => {
    const { housekeeping, done, errors, passSeconds } = chores({ fails: 'cancellation' });
    housekeeping.start();
    housekeeping.cancelBelow();
    await idle();
    expect(done).toEqual(['cancellation']);
    await passSeconds(1);
    expect(done).toEqual(['cancellation', 'cancellation']);
    expect(errors).toEqual(Array(2).fill('cancel-below: cancellation failed'));
    await housekeeping.stop();
    await passSeconds(10);
    expect(done).toHaveLength(2);
  });

  it.each(['deletion', 'purge'] as const)(
    'are all done if the %s fails, which is reported',
    async (fails) => {
      const { housekeeping, cleared, errors, pass } = chores({ fails });
      housekeeping.start();
      await pass(10);
      await pass(50);
      expect(cleared().slice(1).sort()).toEqual(['deletion', 'purge']);
      expect(new Set(errors)).toEqual(new Set([`purge: ${fails} failed`]));
    },
  );

  it('remove all throttles that are over, each hour', async () => {
    const { housekeeping, pass, passSeconds, portionsOfThrottles } = chores();
    portionsOfThrottles.push(true, true, false, true);
    housekeeping.start();
    await pass(60);
    for (let portion = 0; portion < 3; portion++) await passSeconds(1);
    expect(portionsOfThrottles).toEqual([true]);
  });

  it('add events to the stats after a start, and then only if this process has made some', async () => {
    const { housekeeping, bus, passSeconds, folds, portionsOfStats, foldFailures, errors } = chores();
    const event = { run: { runId: 'r', jobName: 'j' }, note: { type: 'run:trigger' } } as const;
    housekeeping.start();
    for (let i = 0; i < 3; i++) await passSeconds(10);
    expect(folds).toHaveLength(1);
    bus.publish([event]);
    for (let i = 0; i < 3; i++) await passSeconds(10);
    expect(folds).toHaveLength(2);
    // In portions, and again after a failure.
    bus.publish([event]);
    portionsOfStats.push(true, false);
    foldFailures.push(true);
    await passSeconds(10);
    expect([folds.length, errors]).toEqual([3, ['stats: no database']]);
    await passSeconds(10);
    await passSeconds(1);
    expect(folds).toHaveLength(5);
    await passSeconds(10);
    expect(folds).toHaveLength(5);
  });

  it('are not done after a stop', async () => {
    const { housekeeping, done, pass } = chores();
    housekeeping.start();
    await housekeeping.stop();
    await pass(120);
    expect(done).toEqual([]);
  });
});
