import { expect, test, vi } from 'vitest';
import { flowUnderFire } from './scenarios/flow.ts';
import { report, scale, seeded } from './support/chaos.ts';

vi.setConfig({ testTimeout: 600_000 });

test('runs that wait, retry and start others keep their promises while processes are killed and stopped', async () => {
  const outcome = await flowUnderFire({ random: seeded('flow'), runs: scale(30), blows: scale(7) });
  report('flow', outcome);
  expect(outcome.violations).toEqual([]);
  // The test is only valid if runs waited, and took signals.
  expect(outcome.figures.waits).toBeGreaterThan(0);
  expect(outcome.figures['signals taken']).toBeGreaterThan(0);
});
