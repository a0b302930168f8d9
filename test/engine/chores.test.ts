import { describe, expect, it } from 'vitest';
import { Housekeeping } from '../../src/engine/chores.ts';
import { EventBus } from '../../src/engine/events/event-bus.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { fakeStore } from '../support/fake-store.ts';
import { idle } from '../support/idle.ts';

const MINUTE_MS = 60_000;

/** Chores on a fake store that records what they do. `fails` names the chore that rejects. */
function chores({ fails }: { fails?: 'deletion' | 'purge' } = {}) {
  const clock = new FakeClock();
  const bus = new EventBus(clock);
  const done: string[] = [];
  const errors: unknown[] = [];
  bus.on('worker:error', (event) => errors.push(event.error));
  const portion = (name: 'deletion' | 'purge') => async () => {
    done.push(name);
    if (name === fails) throw new Error(`${name} failed`);
    return false;
  };
  const store = fakeStore({
    cancelBelow: async () => [],
    deletePortion: portion('deletion'),
    purgePortion: portion('purge'),
  });
  const housekeeping = new Housekeeping({ store, bus, clock });
  const pass = async (minutes: number) => {
    clock.advance(minutes * MINUTE_MS);
    await idle();
  };
  return { housekeeping, done, errors, pass };
}

describe('the chores', () => {
  it('are done each hour, and rows of deleted runs also ten minutes after the start', async () => {
    const { housekeeping, done, pass } = chores();
    housekeeping.start();
    await pass(9);
    expect(done).toEqual([]);
    await pass(1);
    expect(done).toEqual(['deletion']);
    await pass(50);
    expect(done.slice(1).sort()).toEqual(['deletion', 'purge']);
    await pass(60);
    expect(done.slice(3).sort()).toEqual(['deletion', 'purge']);
  });

  it.each(['deletion', 'purge'] as const)(
    'are all done if the %s fails, which is reported',
    async (fails) => {
      const { housekeeping, done, errors, pass } = chores({ fails });
      housekeeping.start();
      await pass(10);
      await pass(50);
      expect(done.slice(1).sort()).toEqual(['deletion', 'purge']);
      expect(new Set(errors)).toEqual(new Set([`${fails} failed`]));
    },
  );

  it('are not done after a stop', async () => {
    const { housekeeping, done, pass } = chores();
    housekeeping.start();
    await housekeeping.stop();
    await pass(120);
    expect(done).toEqual([]);
  });
});
