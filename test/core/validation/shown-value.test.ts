import { describe, expect, it } from 'vitest';
import { shownValue } from '../../../src/core/validation/shown-value.ts';

describe('a refused value in a message', () => {
  it.each<[string, unknown, string]>([
    ['a text', 'soon', '"soon"'],
    ['a number', -1.5, '-1.5'],
    ['no number', Number.NaN, 'NaN'],
    ['a truth value', false, 'false'],
    ['null', null, 'null'],
    ['nothing', undefined, 'undefined'],
    ['a time', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['no time', new Date('soon'), 'an invalid Date'],
    ['an object', { a: 1 }, 'an object'],
    ['a list', [1], 'a list'],
    ['an empty list', [], 'an empty list'],
    ['a function', () => 1, 'a function'],
    ['a symbol', Symbol('s'), 'a symbol'],
    ['a bigint', 10n, '10n'],
    ['a promise', Promise.resolve(1), 'a promise'],
    ['an object that can’t be read', new Proxy({}, { get: () => expect.fail('was read') }), 'an object'],
  ])('is %s', (_, given, shown) => {
    expect(shownValue(given)).toBe(shown);
  });

  it('has its rejections taken', async () => {
    expect(shownValue(Promise.reject(new Error('not awaited')))).toBe('a promise');
  });

  it('is cut and told how long it is', () => {
    expect(shownValue('x'.repeat(64))).toBe(`"${'x'.repeat(64)}"`);
    expect(shownValue('x'.repeat(65))).toBe(`"${'x'.repeat(64)}…" (65 characters)`);
    expect(shownValue(`${'x'.repeat(63)}🙂`)).toBe(`"${'x'.repeat(63)}…" (65 characters)`);
    expect(shownValue('\0'.repeat(1_000_000)).length).toBeLessThan(500);
  });

  it('has no characters that a terminal acts on, or that nobody sees', () => {
    expect(shownValue('a\n\u001b[31m\u009b2J\u202eb\ud800\u200b')).toBe(
      '"a\\n\\u001b[31m\\u009b2J\\u202eb\\ud800\\u200b"',
    );
  });

  it.each([
    'Bearer abcdefgh12345678',
    'https://user:abcdefgh12345678@example.com/',
    'https://example.com/?token=abcdefgh12345678',
    'whsec_abcdefgh12345678',
    `${'x'.repeat(60)} whsec_abcdefgh12345678`,
    'authorization: abcdefgh12345678',
  ])('shows no secret of %s', (given) => {
    expect(shownValue(given)).not.toMatch(/abcd/);
  });
});
