import { describe, expect, test } from 'vitest';
import type { Claim } from '../../../src/core/ownership/claim.ts';
import { idle } from '../../support/idle.ts';
import { deferred } from '../../support/until.ts';
import { heldRun, NOTHING, NOTHING_DUE, pacedWorker } from './paced-worker.ts';

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

describe('a worker whose slots are all taken', () => {
  /** A worker with one slot, which is taken. */
  async function busyWorker() {
    const paced = pacedWorker();
    paced.answers.push(() => ({ ...NOTHING, runs: [heldRun()] }));
    paced.worker.start();
    await idle();
    return paced;
  }

  test('looks for what is due once in each interval, and claims nothing', async () => {
    const { looks, claimsDuring } = await busyWorker();
    expect(await claimsDuring(999)).toBe(0);
    expect(looks).toHaveLength(0);
    for (let interval = 1; interval <= 3; interval++) {
      expect(await claimsDuring(interval === 1 ? 1 : 1_000)).toBe(0);
      expect(looks).toHaveLength(interval);
    }
  });

  test('does so no more once a slot is free', async () => {
    const { looks, gates, claims, claimsDuring } = await busyWorker();
    await claimsDuring(1_000);
    gates[0]?.resolve();
    await idle();
    const before = claims.length;
    await claimsDuring(1_000);
    expect(looks).toHaveLength(1);
    expect(claims.length).toBeGreaterThan(before);
  });

  test('looks again at once if there was more', async () => {
    const { looks, dueAnswers, claimsDuring } = await busyWorker();
    dueAnswers.push(() => ({ ...NOTHING_DUE, moreDue: true }));
    await claimsDuring(1_000);
    await claimsDuring(0);
    expect(looks).toHaveLength(2);
    await claimsDuring(999);
    expect(looks).toHaveLength(2);
  });

  test('claims as soon as a slot is free if it has woken a run', async () => {
    const { worker, answers, dueAnswers, gates, claims, claimsDuring } = pacedWorker();
    worker.start();
    await idle();
    // This claim is too early to look for what is due, and puts off the next poll.
    await claimsDuring(400);
    answers.push(() => ({ ...NOTHING, runs: [heldRun()] }));
    worker.wake();
    await idle();
    expect(claims.map(({ wakesDue }) => wakesDue)).toEqual([true, false]);
    dueAnswers.push(() => ({ ...NOTHING_DUE, pending: 1 }));
    await claimsDuring(600);
    gates[0]?.resolve();
    await idle();
    expect(claims).toHaveLength(3);
  });

  test('looks less often while the database fails, which it reports', async () => {
    const { looks, dueAnswers, errors, claimsDuring } = await busyWorker();
    for (let i = 0; i < 4; i++) dueAnswers.push(() => Promise.reject(new Error('down')));
    for (let second = 0; second < 10; second++) await claimsDuring(1_000);
    expect(looks.length).toBeGreaterThanOrEqual(3);
    expect(looks.length).toBeLessThan(10);
    expect(errors).toEqual(Array(Math.min(4, looks.length)).fill('claim'));
  });
});
