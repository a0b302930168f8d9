import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../src/core/errors/errors.ts';
import type { Claim } from '../../../src/core/ownership/claim.ts';
import { idle } from '../../support/idle.ts';
import { deferred } from '../../support/until.ts';
import { heldRun, NOTHING, pacedWorker } from './paced-worker.ts';

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
    const run = heldRun();
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
    answers.push(() => ({ ...NOTHING, runs: [heldRun()] }));
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
