import { describe, expect, test } from 'vitest';
import type { Claim } from '../../../src/core/ownership/claim.ts';
import { idle } from '../../support/idle.ts';
import { deferred } from '../../support/until.ts';
import { heldRun, NOTHING, pacedWorker } from './paced-worker.ts';

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
    answers.push(() => ({ ...NOTHING, runs: [heldRun()] }));
    worker.start();
    await idle();
    gates[0]?.resolve();
    await idle();
    expect(claims).toHaveLength(1);
    expect(await claimsDuring(1_000)).toBe(1);
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
});
