import { expect, test, vi } from 'vitest';
import { badNetwork } from './scenarios/remote.ts';
import { report, scale, seeded } from './support/chaos.ts';

vi.setConfig({ testTimeout: 600_000 });

test('no run is lost and no step is stored twice when a tenth of the connections to the database die', async () => {
  const outcome = await badNetwork({ random: seeded('remote'), runs: scale(120) });
  report('remote', outcome);
  expect(outcome.violations).toEqual([]);
  // The test is only valid if the network had faults.
  expect(outcome.figures['connections died']).toBeGreaterThan(0);
});
