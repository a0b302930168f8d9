import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../src/core/errors/errors.ts';
import { idle } from '../../support/idle.ts';
import { pacedWorker } from './paced-worker.ts';

describe('a worker whose claims fail', () => {
  const away = () => Promise.reject(new DatabaseUnavailableError('away'));

  test('retries with growing pauses of at most half a minute, and reports the failure', async () => {
    const { worker, answers, claims, errors, clock } = pacedWorker();
    answers.push(...Array.from({ length: 12 }, () => away));
    worker.start();
    await idle();
    const pauses: number[] = [];
    for (let i = 0; i < 11; i++) {
      const before = claims.length;
      let pauseMs = 0;
      while (claims.length === before) {
        const [nextMs = 0] = clock.pendingMs;
        pauseMs += nextMs;
        clock.advance(nextMs);
        await idle();
      }
      pauses.push(pauseMs);
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
