import { describe, expect, test } from 'vitest';
import { newClaimToken, newRunId } from '../../src/core/id.ts';

const CROCKFORD = '[0-9A-HJKMNP-TV-Z]';

describe('ids', () => {
  test('consist of run_ and a ULID', () => {
    for (let i = 0; i < 1_000; i++) expect(newRunId()).toMatch(new RegExp(`^run_[0-7]${CROCKFORD}{25}$`));
  });

  test('never repeat, even after the random bytes have been refilled', () => {
    // Each id takes 16 of 4096 bytes, so the bytes are refilled many times.
    const ids = Array.from({ length: 20_000 }, () => newRunId());
    expect(new Set(ids).size).toBe(ids.length);
    const tokens = Array.from({ length: 20_000 }, () => newClaimToken());
    expect(new Set(tokens).size).toBe(tokens.length);
  });

  test('use every character at every random position', () => {
    const seen = Array.from({ length: 16 }, () => new Set<string>());
    for (let i = 0; i < 5_000; i++) {
      const random = newRunId().slice(-16);
      for (const [place, characters] of seen.entries()) characters.add(random[place] ?? '');
    }
    // In 5,000 draws one of the 32 characters is missing with a probability of 10^-60.
    expect(seen.map(({ size }) => size)).toEqual(Array(16).fill(32));
  });
});
