import { expect, test } from 'vitest';
import { spread } from './file-order.ts';

test('spreads one list among another at equal distances, and keeps the order of both', () => {
  expect(spread(['A', 'B'], ['a', 'b', 'c', 'd']).join('')).toBe('AabBcd');
  expect(spread(['A', 'B', 'C'], ['a']).join('')).toBe('AaBC');
  expect(spread([], ['a', 'b'])).toEqual(['a', 'b']);
});
