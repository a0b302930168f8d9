import { expect, test, vi } from 'vitest';
import { flowOverBadNetwork } from './scenarios/flow.ts';
import { report, scale, seeded } from './support/chaos.ts';

vi.setConfig({ testTimeout: 600_000 });

test('runs that wait, retry and start others keep their promises when answers of the database are lost', async () => {
  const outcome = await flowOverBadNetwork({ random: seeded('flow over a bad network'), runs: scale(15) });
  report('flow over a bad network', outcome);
  expect(outcome.violations).toEqual([]);
  // The test is only valid if the network had faults.
  expect(outcome.figures['connections died']).toBeGreaterThan(0);
});
