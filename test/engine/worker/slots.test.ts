import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../src/core/errors/errors.ts';
import type { Claim } from '../../../src/core/ownership/claim.ts';
import { idle } from '../../support/idle.ts';
import { deferred } from '../../support/until.ts';
import { heldRun, NOTHING, pacedWorker } from './paced-worker.ts';

describe('a worker that looks for work', () => {
  test('asks for the slots that are free when its claim leaves, including those of ending runs', async () => {
    const { worker, answers, claims, gates, holdEnds, holdClaims } = pacedWorker({ maxConcurrentRuns: 3 });
    answers.push(() => ({ ...NOTHING, runs: [heldRun(), heldRun()] }));
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

  test('fills a free slot at once if the claim left runs behind', async () => {
    const { worker, answers, claims, gates } = pacedWorker();
    answers.push(() => ({ ...NOTHING, runs: [heldRun()], more: true }));
    worker.start();
    await idle();
    expect(claims).toHaveLength(1);
    gates[0]?.resolve();
    await idle();
    expect(claims).toHaveLength(2);
  });

  test('claims again at once if the claim left runs behind though slots are free', async () => {
    const { worker, answers, claims } = pacedWorker({ maxConcurrentRuns: 3 });
    answers.push(() => ({ ...NOTHING, runs: [heldRun()], more: true }));
    answers.push(() => ({ ...NOTHING, runs: [heldRun()] }));
    worker.start();
    await idle();
    expect(claims.map(({ limit }) => limit)).toEqual([3, 2]);
  });

  test('fills slots that become free together with one claim, and a later one with another', async () => {
    const { worker, answers, claims, gates } = pacedWorker({ maxConcurrentRuns: 3 });
    const first = [heldRun(), heldRun(), heldRun()];
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
    slow.resolve({ ...NOTHING, runs: [heldRun(), heldRun()] });
    await idle();
    expect(gates).toHaveLength(5);
  });

  test('asks for the result of a failed claim by its token, and hands back runs beyond the free slots', async () => {
    const { worker, answers, claims, errors, handedBack, claimsDuring } = pacedWorker();
    answers.push(() => Promise.reject(new DatabaseUnavailableError('gone')));
    worker.start();
    await idle();
    expect(errors).toEqual(['claim']);
    const [kept, surplus] = [heldRun(), heldRun()];
    answers.push(() => ({ ...NOTHING, runs: [kept, surplus] }));
    await claimsDuring(1_000);
    expect(claims.map(({ isAskedAgain }) => isAskedAgain)).toEqual([false, true]);
    expect(claims[1]?.claimToken).toBe(claims[0]?.claimToken);
    expect(handedBack).toEqual([surplus.runId]);
  });

  test('fills a slot at once when its concurrency key becomes free too', async () => {
    const { worker, answers, claims, gates } = pacedWorker();
    answers.push(() => ({ ...NOTHING, runs: [heldRun({ concurrencyKey: 'k' })] }));
    worker.start();
    await idle();
    gates[0]?.resolve();
    await idle();
    expect(claims).toHaveLength(2);
  });

  test('claims as many runs as it has free slots, and does not claim without any', async () => {
    const { worker, answers, claims, gates, claimsDuring } = pacedWorker({ maxConcurrentRuns: 3 });
    answers.push(
      () => ({ ...NOTHING, runs: [heldRun()] }),
      () => ({ ...NOTHING, runs: [heldRun(), heldRun()] }),
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
});
