import { describe, expect, it } from 'vitest';
import { parseTimeLimit } from '../../src/core/time/time-limit.ts';

describe('a time limit', () => {
  it.each([
    ['10m', 600_000, '10m'],
    ['0.5h', 1_800_000, '0.5h'],
    ['90m', 5_400_000, '90m'],
    [7_200_000, 7_200_000, '2h'],
    [5_400_000, 5_400_000, '90m'],
    [90_000, 90_000, '90s'],
    [172_800_000, 172_800_000, '2d'],
    [1_500, 1_500, '1500ms'],
    [0.5, 1, '1ms'],
    [`${'0'.repeat(100)}1m`, 60_000, '1m'],
  ])('of %j is %i ms, and reads %s', (given, ms, text) => {
    expect(parseTimeLimit('ttl', given)).toEqual({ ms, text });
  });

  it.each([-1, '1 hour', Number.NaN, {}, null])('refuses %j', (given) => {
    expect(() => parseTimeLimit('ttl', given)).toThrow(/^ttl must be a duration/);
  });

  it.each([0, '0s'])('refuses %j, which leaves no time', (given) => {
    expect(() => parseTimeLimit('ttl', given)).toThrow(
      `ttl must be longer than 0, not ${JSON.stringify(given)}`,
    );
  });
});
