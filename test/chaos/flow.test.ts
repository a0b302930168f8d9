import { expect, test, vi } from 'vitest';
import { flowOverBadNetwork, flowUnderFire } from './scenarios/flow.ts';
import { report, scale, seeded } from './support/chaos.ts';

vi.setConfig({ testTimeout: 600_000 });

test('runs that wait, retry and start others keep their promises while processes are killed and stopped', async () => {
  const outcome = await flowUnderFire({ random: seeded('flow'), runs: scale(40), blows: scale(8) });
  report('flow', outcome);
  expect(outcome.violations).toEqual([]);
  // The test is only valid if runs waited, and took signals.
  expect(outcome.figures.waits).toBeGreaterThan(0);
  expect(outcome.figures['signals taken']).toBeGreaterThan(0);
});

test('they keep them when answers of the database are lost', async () => {
  const outcome = await flowOverBadNetwork({ random: seeded('flow over a bad network'), runs: scale(30) });
  report('flow over a bad network', outcome);
  expect(outcome.violations).toEqual([]);
  // The test is only valid if the network had faults.
  expect(outcome.figures['connections died']).toBeGreaterThan(0);
});
