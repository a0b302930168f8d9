import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../src/core/errors/errors.ts';
import type { Lease } from '../../../src/core/ownership/lease.ts';
import { EventBus } from '../../../src/engine/events/event-bus.ts';
import { LeaseKeeper } from '../../../src/engine/execution/lease-keeper.ts';
import { RunControl } from '../../../src/engine/execution/run-control.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { fakeStore } from '../../support/fake-store.ts';
import { idle } from '../../support/idle.ts';
import { deferred } from '../../support/until.ts';

/** A keeper that sends a heartbeat every 100 ms to a store that renews what the test allows. */
function keeper() {
  const clock = new FakeClock();
  const bus = new EventBus(clock);
  const errors: string[] = [];
  bus.on('worker:error', ({ context }) => errors.push(context));
  const beats: string[][] = [];
  let renew = async (leases: readonly Lease[]): Promise<Lease[]> => [...leases];
  const store = fakeStore({
    renew: (leases) => {
      beats.push(leases.map(({ runId, fence }) => `${runId}/${fence}`));
      return renew(leases);
    },
  });
  const keeper = new LeaseKeeper({ store, bus, clock, heartbeatIntervalMs: 100, staleThresholdMs: 350 });
  const leases = {
    hold: (control: RunControl, claimedAtMs = clock.monotonicMs()) => keeper.hold(control, { claimedAtMs }),
    release: (control: RunControl) => keeper.release(control),
  };
  const beat = async () => {
    clock.advance(100);
    await idle();
  };
  return {
    clock,
    errors,
    beats,
    leases,
    beat,
    onRenew: (answer: typeof renew) => {
      renew = answer;
    },
  };
}

const control = (runId: string, fence = 1) => new RunControl({ runId, fence });

describe('the keeper of leases', () => {
  test('renews all leases with one heartbeat per interval', async () => {
    const { leases, beat, beats, clock } = keeper();
    leases.hold(control('a'));
    clock.advance(40);
    leases.hold(control('b'));
    clock.advance(59);
    expect(beats).toEqual([]);
    clock.advance(1);
    await idle();
    await beat();
    expect(beats).toEqual([
      ['a/1', 'b/1'],
      ['a/1', 'b/1'],
    ]);
  });

  test('is idle without leases', async () => {
    const { leases, beat, beats, clock } = keeper();
    const a = control('a');
    leases.hold(a);
    leases.release(a);
    expect(clock.pendingMs).toEqual([]);
    await beat();
    expect(beats).toEqual([]);
    leases.hold(control('b'));
    await beat();
    expect(beats).toEqual([['b/1']]);
  });

  test('stops the run whose lease was not renewed, and no other', async () => {
    const { leases, beat, onRenew } = keeper();
    const [a, b] = [control('a'), control('b')];
    leases.hold(a);
    leases.hold(b);
    onRenew(async (asked) => asked.filter(({ runId }) => runId === 'b'));
    await beat();
    expect([a.isOver, b.isOver]).toEqual([true, false]);
    expect(await a.stopped).toBe('lease-lost');
    expect(a.signal.aborted).toBe(true);
  });

  test('does not report a run as lost that ended during the heartbeat', async () => {
    const { leases, beat, onRenew } = keeper();
    const answer = deferred<Lease[]>();
    const [a, b] = [control('a'), control('b')];
    leases.hold(a);
    leases.hold(b);
    onRenew(() => answer.promise);
    await beat();
    leases.release(a);
    answer.resolve([]);
    await idle();
    expect([a.isOver, b.isOver]).toEqual([false, true]);
  });

  test('does not stop a new attempt because the previous one was lost', async () => {
    const { leases, beat, onRenew } = keeper();
    const answer = deferred<Lease[]>();
    const [first, second] = [control('a', 1), control('a', 2)];
    leases.hold(first);
    onRenew(() => answer.promise);
    await beat();
    leases.hold(second);
    leases.release(first);
    answer.resolve([]);
    await idle();
    expect(second.isOver).toBe(false);
    onRenew(async (asked) => [...asked]);
    await beat();
    expect(second.isOver).toBe(false);
  });

  test('continues after a failed heartbeat, and reports it', async () => {
    const { leases, beat, beats, errors, onRenew } = keeper();
    const a = control('a');
    leases.hold(a);
    onRenew(() => Promise.reject(new DatabaseUnavailableError('away')));
    await beat();
    await beat();
    expect(errors).toEqual(['heartbeat', 'heartbeat']);
    expect(a.isOver).toBe(false);
    onRenew(async (asked) => [...asked]);
    await beat();
    expect(beats).toHaveLength(3);
    // After a confirmation it has the whole time again.
    onRenew(() => Promise.reject(new DatabaseUnavailableError('away')));
    await beat();
    await beat();
    await beat();
    expect(a.isOver).toBe(false);
  });

  test.each([
    ['refuses', () => Promise.reject(new DatabaseUnavailableError('away'))],
    ['does not answer', () => new Promise<never>(() => undefined)],
  ])(
    'stops what could not be renewed for the stale threshold, with a database that %s',
    async (_, answer) => {
      const { leases, beat, clock, onRenew } = keeper();
      const a = control('a');
      leases.hold(a);
      await beat();
      onRenew(answer);
      const b = control('b');
      leases.hold(b);
      clock.advance(60);
      const c = control('c');
      leases.hold(c);
      for (let i = 0; i < 2; i++) await beat();
      // The first heartbeat was sent at 100 ms and confirmed `a`. `b` was claimed then, and `c` at 160 ms.
      clock.advance(89);
      expect([a.isOver, b.isOver, c.isOver]).toEqual([false, false, false]);
      clock.advance(1);
      expect([a.isOver, b.isOver, c.isOver]).toEqual([true, true, false]);
      expect(await a.stopped).toBe('lease-expired');
      expect(a.signal.reason).toMatchObject({ code: 'LEASE_LOST' });
      leases.release(a);
      leases.release(b);
      clock.advance(60);
      expect(c.isOver).toBe(true);
    },
  );

  test('counts from the time a claim or renewal was sent, not from its answer', async () => {
    const { leases, beat, clock, onRenew } = keeper();
    const away = () => Promise.reject(new DatabaseUnavailableError('away'));
    const [a, b] = [control('a'), control('b')];
    leases.hold(a);
    const answer = deferred<Lease[]>();
    onRenew(() => answer.promise);
    await beat();
    // The heartbeat of 100 ms is answered at 140 ms. So is the claim of `b`, sent at 110 ms.
    clock.advance(40);
    answer.resolve([{ runId: 'a', fence: 1 }]);
    await idle();
    leases.hold(b, clock.monotonicMs() - 30);
    onRenew(away);
    for (let i = 0; i < 3; i++) await beat();
    clock.advance(9);
    expect([a.isOver, b.isOver]).toEqual([false, false]);
    clock.advance(1);
    expect([a.isOver, b.isOver]).toEqual([true, false]);
    clock.advance(9);
    expect(b.isOver).toBe(false);
    clock.advance(1);
    expect(b.isOver).toBe(true);
  });

  test('sends a heartbeat before it gives up leases that expired while its own process was stopped', async () => {
    const { leases, beat, beats, clock, onRenew } = keeper();
    const [a, b] = [control('a'), control('b')];
    leases.hold(a);
    leases.hold(b);
    await beat();
    onRenew(async (asked) => asked.filter(({ runId }) => runId === 'a'));
    clock.standStill(10_000);
    await idle();
    expect(beats).toEqual([
      ['a/1', 'b/1'],
      ['a/1', 'b/1'],
    ]);
    expect([a.isOver, b.isOver]).toEqual([false, true]);
    expect(await b.stopped).toBe('lease-lost');
  });

  test('gives them up if the database does not answer that heartbeat', async () => {
    const { leases, clock, onRenew } = keeper();
    const a = control('a');
    leases.hold(a);
    onRenew(() => new Promise(() => undefined));
    clock.standStill(10_000);
    clock.advance(99);
    expect(a.isOver).toBe(false);
    clock.advance(1);
    expect(await a.stopped).toBe('lease-expired');
  });

  test('has one heartbeat under way at a time, however slow the database is', async () => {
    const { leases, beat, beats, onRenew } = keeper();
    const answer = deferred<Lease[]>();
    leases.hold(control('a'));
    onRenew(() => answer.promise);
    await beat();
    leases.hold(control('b'));
    await beat();
    await beat();
    expect(beats).toHaveLength(1);
    answer.resolve([{ runId: 'a', fence: 1 }]);
    await idle();
    onRenew(async (asked) => [...asked]);
    await beat();
    expect(beats[1]).toEqual(['a/1', 'b/1']);
  });
});
