import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../src/core/errors/errors.ts';
import type { Claim, ClaimedRun, ClaimRequest } from '../../src/core/ownership/claim.ts';
import { Housekeeping } from '../../src/engine/chores.ts';
import { EventBus } from '../../src/engine/events/event-bus.ts';
import { RunLog } from '../../src/engine/events/run-log.ts';
import { Registry } from '../../src/engine/jobs/registry.ts';
import { Worker } from '../../src/engine/worker/worker.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { fakeStore } from '../support/fake-store.ts';
import { idle } from '../support/idle.ts';
import { job } from '../support/jobs.ts';
import { type Deferred, deferred } from '../support/until.ts';

const NOTHING: Claim = { runs: [], lost: [], more: false, moreDue: false };

let nextRun = 0;
const claimedRun = (changes: Partial<ClaimedRun> = {}): ClaimedRun => ({
  runId: `run_${++nextRun}`,
  jobName: 'held',
  payload: 'null',
  attempt: 1,
  concurrencyKey: null,
  stepCount: 0,
  lostCount: 0,
  retryCount: 0,
  version: 1,
  databaseAheadMs: 0,
  claimedAtMs: 0,
  parentRunId: null,
  depth: 0,
  kind: 'start',
  fence: 1,
  ...changes,
});

let stopLast: () => Promise<void> = async () => undefined;

/** A started worker on a fake store. Its claims are answered from a list, and are then empty. */
function pacedWorker({ maxConcurrentRuns = 1 } = {}) {
  const clock = new FakeClock();
  const bus = new EventBus(clock);
  const registry = new Registry();
  const gates: Deferred[] = [];
  const claims: ClaimRequest[] = [];
  const answers: (() => Promise<Claim> | Claim)[] = [];
  const handedBack: string[] = [];
  const errors: string[] = [];
  let ends: Deferred | undefined;
  let lane: Deferred | undefined;
  let seesAll = true;
  bus.on('worker:error', ({ context }) => errors.push(context));
  const store = fakeStore({
    claim: async (decide) => {
      // Like the lane, it lets everything of this turn of the event loop leave together.
      await nextTurn();
      await lane?.promise;
      const request = decide({ seesAll });
      if (request === undefined) return NOTHING;
      claims.push(request);
      return (await answers.shift()?.()) ?? NOTHING;
    },
    append: async () => {
      await ends?.promise;
      return 'stored';
    },
    renew: async (leases) => [...leases],
    handBack: async (leases) => {
      handedBack.push(...leases.map(({ runId }) => runId));
      return [];
    },
    deletePortion: async () => false,
    purgePortion: async () => false,
  });
  registry.add([
    job('held', async () => {
      const gate = deferred();
      gates.push(gate);
      await gate.promise;
    }),
  ]);
  const worker = new Worker(
    {
      store,
      bus,
      clock,
      registry,
      housekeeping: new Housekeeping({ store, bus, clock }),
      log: new RunLog(),
      errorDetail: 'full',
    },
    {
      presence: 'resident',
      pollingIntervalMs: 1_000,
      heartbeatIntervalMs: 500_000,
      staleThresholdMs: 600_000,
      maxConcurrentRuns,
      maxResultBytes: 1_000_000,
    },
  );
  stopLast = async () => {
    const stopped = worker.stop({ timeoutMs: 0 });
    clock.advance(0);
    await stopped;
  };
  /** The number of claims during this time. */
  const claimsDuring = async (ms: number) => {
    const before = claims.length;
    clock.advance(ms);
    await idle();
    return claims.length - before;
  };
  /** Ends are stored only when the returned function is called. */
  const holdEnds = () => {
    const held = deferred();
    ends = held;
    return () => {
      ends = undefined;
      held.resolve();
    };
  };
  /** Claims leave only when the returned function is called. */
  const holdClaims = () => {
    const held = deferred();
    lane = held;
    return () => {
      lane = undefined;
      held.resolve();
    };
  };
  /** Sets whether claims see everything that was to be stored before them. */
  const seeAll = (value: boolean) => {
    seesAll = value;
  };
  return {
    seeAll,
    holdEnds,
    holdClaims,
    worker,
    clock,
    claims,
    answers,
    gates,
    errors,
    handedBack,
    claimsDuring,
  };
}

afterEach(() => stopLast());

describe('a worker that looks for work', () => {
  test('polls once in each interval when idle', async () => {
    const { worker, claims, claimsDuring } = pacedWorker();
    worker.start();
    await idle();
    expect(claims).toHaveLength(1);
    expect(claims[0]).toMatchObject({ jobNames: ['held'], limit: 1, staleThresholdMs: 600_000 });
    expect(await claimsDuring(999)).toBe(0);
    expect(await claimsDuring(1)).toBe(1);
    expect(await claimsDuring(999)).toBe(0);
    expect(await claimsDuring(1)).toBe(1);
  });

  test('gives each claim its own token', async () => {
    const { worker, claims, claimsDuring } = pacedWorker();
    worker.start();
    await idle();
    for (let i = 0; i < 5; i++) await claimsDuring(1_000);
    expect(new Set(claims.map(({ claimToken }) => claimToken)).size).toBe(6);
  });

  test('asks for the slots that are free when its claim leaves, including those of ending runs', async () => {
    const { worker, answers, claims, gates, holdEnds, holdClaims } = pacedWorker({ maxConcurrentRuns: 3 });
    answers.push(() => ({ ...NOTHING, runs: [claimedRun(), claimedRun()] }));
    worker.start();
    await idle();
    const storeEnds = holdEnds();
    const letClaimsLeave = holdClaims();
    worker.wake();
    await idle();
    for (const gate of gates) gate.resolve();
    await idle();
    expect(claims.map(({ limit }) => limit)).toEqual([3]);
    letClaimsLeave();
    await idle();
    expect(claims.map(({ limit }) => limit)).toEqual([3, 3]);
    storeEnds();
    await idle();
    expect(claims).toHaveLength(2);
  });

  test('has one claim that waits to leave, however often it is woken', async () => {
    const { worker, claims, holdClaims } = pacedWorker({ maxConcurrentRuns: 3 });
    const letClaimsLeave = holdClaims();
    worker.start();
    for (let i = 0; i < 5; i++) {
      await idle();
      worker.wake();
    }
    letClaimsLeave();
    await idle();
    expect(claims).toHaveLength(1);
  });

  test('claims again if its claim left before the runs that it was woken for', async () => {
    const { worker, claims, seeAll } = pacedWorker();
    worker.start();
    await idle();
    seeAll(false);
    worker.wake();
    await new Promise<void>((resolve) => setImmediate(resolve));
    seeAll(true);
    await idle();
    expect(claims.length).toBeGreaterThanOrEqual(2);
    const before = claims.length;
    worker.wake();
    await idle();
    expect(claims).toHaveLength(before + 1);
  });

  test('claims nothing if it is stopped before its claim leaves', async () => {
    const { worker, claims, holdClaims } = pacedWorker();
    const letClaimsLeave = holdClaims();
    worker.start();
    await idle();
    const stopped = worker.stop();
    letClaimsLeave();
    await stopped;
    await idle();
    expect(claims).toEqual([]);
  });

  test('sends no second claim after a lone run ends', async () => {
    const { worker, answers, claims, gates, claimsDuring } = pacedWorker();
    answers.push(() => ({ ...NOTHING, runs: [claimedRun()] }));
    worker.start();
    await idle();
    gates[0]?.resolve();
    await idle();
    expect(claims).toHaveLength(1);
    expect(await claimsDuring(1_000)).toBe(1);
  });

  test('fills a free slot at once if the claim left runs behind', async () => {
    const { worker, answers, claims, gates } = pacedWorker();
    answers.push(() => ({ ...NOTHING, runs: [claimedRun()], more: true }));
    worker.start();
    await idle();
    expect(claims).toHaveLength(1);
    gates[0]?.resolve();
    await idle();
    expect(claims).toHaveLength(2);
  });

  test('claims again at once if the claim left runs behind though slots are free', async () => {
    const { worker, answers, claims } = pacedWorker({ maxConcurrentRuns: 3 });
    answers.push(() => ({ ...NOTHING, runs: [claimedRun()], more: true }));
    answers.push(() => ({ ...NOTHING, runs: [claimedRun()] }));
    worker.start();
    await idle();
    expect(claims.map(({ limit }) => limit)).toEqual([3, 2]);
  });

  test('fills slots that become free together with one claim, and a later one with another', async () => {
    const { worker, answers, claims, gates } = pacedWorker({ maxConcurrentRuns: 3 });
    const first = [claimedRun(), claimedRun(), claimedRun()];
    answers.push(() => ({ ...NOTHING, runs: first, more: true }));
    worker.start();
    await idle();
    const slow = deferred<Claim>();
    answers.push(() => slow.promise);
    gates[0]?.resolve();
    gates[1]?.resolve();
    await idle();
    expect(claims.map(({ limit }) => limit)).toEqual([3, 2]);
    gates[2]?.resolve();
    await idle();
    expect(claims.map(({ limit }) => limit)).toEqual([3, 2, 1]);
    slow.resolve({ ...NOTHING, runs: [claimedRun(), claimedRun()] });
    await idle();
    expect(gates).toHaveLength(5);
  });

  test('claims one suspect at a time, and none beside a running suspect', async () => {
    const { worker, answers, claims, gates } = pacedWorker({ maxConcurrentRuns: 3 });
    answers.push(() => ({ ...NOTHING, runs: [claimedRun(), claimedRun(), claimedRun()], more: true }));
    worker.start();
    await idle();
    const slow = deferred<Claim>();
    answers.push(() => slow.promise);
    answers.push(() => ({ ...NOTHING, runs: [claimedRun()], more: true }));
    gates[0]?.resolve();
    await idle();
    gates[1]?.resolve();
    await idle();
    slow.resolve({ ...NOTHING, runs: [claimedRun({ lostCount: 5 })], more: true });
    await idle();
    gates[2]?.resolve();
    await idle();
    expect(claims.map(({ takesSuspect }) => takesSuspect)).toEqual([true, true, false, false]);
  });

  test('asks for the result of a failed claim by its token, and hands back runs beyond the free slots', async () => {
    const { worker, answers, claims, errors, handedBack, claimsDuring } = pacedWorker();
    answers.push(() => Promise.reject(new DatabaseUnavailableError('gone')));
    worker.start();
    await idle();
    expect(errors).toEqual(['claim']);
    const [kept, surplus] = [claimedRun(), claimedRun()];
    answers.push(() => ({ ...NOTHING, runs: [kept, surplus] }));
    await claimsDuring(1_000);
    expect(claims.map(({ isAskedAgain }) => isAskedAgain)).toEqual([false, true]);
    expect(claims[1]?.claimToken).toBe(claims[0]?.claimToken);
    expect(handedBack).toEqual([surplus.runId]);
  });

  test('fills a slot at once when its concurrency key becomes free too', async () => {
    const { worker, answers, claims, gates } = pacedWorker();
    answers.push(() => ({ ...NOTHING, runs: [claimedRun({ concurrencyKey: 'k' })] }));
    worker.start();
    await idle();
    gates[0]?.resolve();
    await idle();
    expect(claims).toHaveLength(2);
  });

  test('claims as many runs as it has free slots, and does not claim without any', async () => {
    const { worker, answers, claims, gates, claimsDuring } = pacedWorker({ maxConcurrentRuns: 3 });
    answers.push(
      () => ({ ...NOTHING, runs: [claimedRun()] }),
      () => ({ ...NOTHING, runs: [claimedRun(), claimedRun()] }),
    );
    worker.start();
    await idle();
    worker.wake();
    await idle();
    expect(claims.map(({ limit }) => limit)).toEqual([3, 2]);
    worker.wake();
    expect(await claimsDuring(5_000)).toBe(0);
    gates[1]?.resolve();
    await idle();
    expect(claims.map(({ limit }) => limit)).toEqual([3, 2, 1]);
  });

  test('claims once more after being woken during a claim, however often', async () => {
    const { worker, answers, claims } = pacedWorker();
    const answer = deferred<Claim>();
    answers.push(() => answer.promise);
    worker.start();
    await idle();
    for (let i = 0; i < 5; i++) worker.wake();
    await idle();
    expect(claims).toHaveLength(1);
    answer.resolve(NOTHING);
    await idle();
    expect(claims).toHaveLength(2);
  });

  test('claims no suspect while it executes one', async () => {
    const { worker, answers, claims, gates } = pacedWorker({ maxConcurrentRuns: 2 });
    answers.push(() => ({ ...NOTHING, runs: [claimedRun({ lostCount: 3 })] }));
    worker.start();
    await idle();
    worker.wake();
    await idle();
    gates[0]?.resolve();
    await idle();
    worker.wake();
    await idle();
    expect(claims.map(({ takesSuspect }) => takesSuspect)).toEqual([true, false, true]);
  });

  test('executes the oldest of several claimed suspects, and hands back the others', async () => {
    const { worker, answers, claims, handedBack, gates } = pacedWorker({ maxConcurrentRuns: 5 });
    const runs = [claimedRun({ lostCount: 4 }), claimedRun(), claimedRun({ lostCount: 3 })];
    answers.push(() => ({ ...NOTHING, runs }));
    worker.start();
    await idle();
    expect(handedBack).toEqual([runs[2]?.runId]);
    expect(gates).toHaveLength(2);
    worker.wake();
    await idle();
    expect(claims.map(({ limit, takesSuspect }) => [limit, takesSuspect])).toEqual([
      [5, true],
      [3, false],
    ]);
  });
});

describe('a worker whose claims fail', () => {
  const away = () => Promise.reject(new DatabaseUnavailableError('away'));

  test('retries with growing pauses of at most half a minute, and reports the failure', async () => {
    const { worker, answers, errors, clock } = pacedWorker();
    answers.push(...Array.from({ length: 12 }, () => away));
    worker.start();
    await idle();
    const pauses: number[] = [];
    for (let i = 0; i < 11; i++) {
      const [pauseMs = 0] = clock.pendingMs;
      pauses.push(pauseMs);
      clock.advance(pauseMs);
      await idle();
    }
    for (const [i, pauseMs] of pauses.entries()) {
      const most = Math.min(30_000, 1_000 * 2 ** i);
      expect(pauseMs).toBeGreaterThanOrEqual(most / 2);
      expect(pauseMs).toBeLessThanOrEqual(most);
    }
    expect(errors).toEqual(Array(12).fill('claim'));
  });

  test('returns to its normal pace after a success', async () => {
    const { worker, answers, claimsDuring } = pacedWorker();
    answers.push(away, away, away);
    worker.start();
    await idle();
    for (let i = 0; i < 3; i++) await claimsDuring(30_000);
    expect(await claimsDuring(999)).toBe(0);
    expect(await claimsDuring(1)).toBe(1);
  });

  test('responds to a wake at once', async () => {
    const { worker, answers, claims } = pacedWorker();
    answers.push(away, away);
    worker.start();
    await idle();
    worker.wake();
    await idle();
    expect(claims).toHaveLength(2);
  });

  test('stops after a permanent failure, until it is started again', async () => {
    const { worker, answers, claimsDuring } = pacedWorker();
    answers.push(() => Promise.reject(new DatabaseUnavailableError('gone', { permanent: true })));
    worker.start();
    await idle();
    expect(worker.isAlive).toBe(false);
    worker.wake();
    expect(await claimsDuring(100_000)).toBe(0);
    worker.start();
    await idle();
    expect(worker.isAlive).toBe(true);
  });
});

describe('a worker that is stopping', () => {
  test('waits for a claim under way, and hands its runs back without starting them', async () => {
    const { worker, answers, gates, handedBack } = pacedWorker();
    const answer = deferred<Claim>();
    answers.push(() => answer.promise);
    worker.start();
    await idle();
    let isStopped = false;
    const stopped = worker.stop().then(() => {
      isStopped = true;
    });
    await idle();
    expect(isStopped).toBe(false);
    const run = claimedRun();
    answer.resolve({ ...NOTHING, runs: [run] });
    await stopped;
    expect(handedBack).toEqual([run.runId]);
    expect(gates).toHaveLength(0);
  });

  test('neither polls nor purges after the stop', async () => {
    const { worker, clock } = pacedWorker();
    worker.start();
    await idle();
    await worker.stop();
    expect(clock.pendingMs).toEqual([]);
  });

  test('resolves even if a hand-back fails, and reports it', async () => {
    const { worker, answers, errors, handedBack, clock } = pacedWorker();
    answers.push(() => ({ ...NOTHING, runs: [claimedRun()] }));
    worker.start();
    await idle();
    handedBack.push = () => {
      throw new DatabaseUnavailableError('away');
    };
    const stopped = worker.stop({ timeoutMs: 10 });
    clock.advance(10);
    await stopped;
    expect(errors).toEqual(['hand-back']);
  });
});
