import type { Durably } from '../../../src/create-durably.ts';
import { job } from '../../support/jobs.ts';
import { deferred } from '../../support/until.ts';

/** A job of five steps that each wait for a gate, and the names of the steps whose function was called. */
export function gatedJob() {
  const calls: string[] = [];
  const gates = Array.from({ length: 5 }, () => deferred());
  const gated = job('gated', async (step) => {
    for (const [i, gate] of gates.entries()) {
      await step.run(`step ${i}`, async () => {
        calls.push(`step ${i}`);
        await gate.promise;
        return i;
      });
    }
    return 'done';
  });
  return { gated, calls, gates };
}

export const atStep = (durably: Durably, index: number) =>
  new Promise<void>((resolve) => {
    if (index === 0) durably.on('run:start', () => resolve());
    durably.on('step:complete', ({ stepIndex }) => void (stepIndex === index - 1 && resolve()));
  });
