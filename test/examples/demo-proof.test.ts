import { expect, test } from 'vitest';
import { findContradictions } from '../../examples/demo/proof.ts';

const events = (...types: [type: string, stepName?: string][]) =>
  types.map(([type, stepName], index) => ({ type, stepName, sequence: index + 1 }));

const sound = events(
  ['run:start'],
  ['step:start', 'a'],
  ['step:complete', 'a'],
  ['step:start', 'b'],
  ['run:start'],
  ['step:start', 'b'],
  ['step:complete', 'b'],
  ['run:complete'],
);
const evidence = { seen: sound, replayed: sound, stepNames: ['a', 'b'], expectedSteps: 2 };

test('accepts a step that was interrupted and started again', () => {
  expect(findContradictions(evidence)).toEqual([]);
});

test('finds a step that completed twice, or started again after it had completed', () => {
  const again = [...sound, ...events(['step:start', 'a'], ['step:complete', 'a'])];
  expect(findContradictions({ ...evidence, seen: again, replayed: again })).toEqual([
    'step "a" completed 2 times',
    '3 step:complete events',
    'step "a" was started after it had completed',
  ]);
});

test('finds a missing step and a missing event', () => {
  expect(findContradictions({ ...evidence, expectedSteps: 3 })).toContain('2 steps, not 3');
  expect(findContradictions({ ...evidence, seen: sound.slice(1) })).toEqual([
    'the live streams and the replay differ',
  ]);
});
