import { expect, test, vi } from 'vitest';
import { killAroundCommits } from './scenarios/transactions.ts';
import { report, scale, seeded } from './support/chaos.ts';

vi.setConfig({ testTimeout: 600_000 });

test('processes that are killed around a commit leave the row of a step and its result, or neither', async () => {
  const outcome = await killAroundCommits({ random: seeded('transactions'), kills: scale(4) });
  report('transactions', outcome);
  expect(outcome.violations).toEqual([]);
  expect(outcome.figures.kills).toBeGreaterThan(0);
});
