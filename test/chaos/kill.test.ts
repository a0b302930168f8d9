import { expect, test, vi } from 'vitest';
import { killAtRandom } from './scenarios/kill.ts';
import { report, scale, seeded } from './support/chaos.ts';

vi.setConfig({ testTimeout: 600_000 });

test('processes that are killed at random lose no accepted run and repeat no finished step', async () => {
  const outcome = await killAtRandom({ random: seeded('kill'), runs: scale(120), kills: scale(8) });
  report('kill', outcome);
  expect(outcome.violations).toEqual([]);
  // The test is only valid if the kills had an effect.
  expect(outcome.figures.takeovers).toBeGreaterThan(0);
});
