import { describe, expect, test } from 'vitest';
import type { Claim } from '../../../src/core/ownership/claim.ts';
import { idle } from '../../support/idle.ts';
import { deferred } from '../../support/until.ts';
import { heldRun, NOTHING, pacedWorker } from './paced-worker.ts';

describe('a worker that looks for work', () => {
  test('claims one suspect at a time, and none beside a running suspect', async () => {
    const { worker, answers, claims, gates } = pacedWorker({ maxConcurrentRuns: 3 });
    answers.push(() => ({ ...NOTHING, runs: [heldRun(), heldRun(), heldRun()], more: true }));
    worker.start();
    await idle();
    const slow = deferred<Claim>();
    answers.push(() => slow.promise);
    answers.push(() => ({ ...NOTHING, runs: [heldRun()], more: true }));
    gates[0]?.resolve();
    await idle();
    gates[1]?.resolve();
    await idle();
    slow.resolve({ ...NOTHING, runs: [heldRun({ lostCount: 5 })], more: true });
    await idle();
    gates[2]?.resolve();
    await idle();
    expect(claims.map(({ takesSuspect }) => takesSuspect)).toEqual([true, true, false, false]);
  });

  test('claims no suspect while it executes one', async () => {
    const { worker, answers, claims, gates } = pacedWorker({ maxConcurrentRuns: 2 });
    answers.push(() => ({ ...NOTHING, runs: [heldRun({ lostCount: 3 })] }));
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
    const runs = [heldRun({ lostCount: 4 }), heldRun(), heldRun({ lostCount: 3 })];
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
