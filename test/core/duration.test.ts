import { describe, expect, it } from 'vitest';
import { NonRetryableError, RetryAfterError } from '../../src/core/errors/retry-errors.ts';
import { nextTryInMs, parseRetries } from '../../src/core/retry.ts';
import { parseDuration, parseTime } from '../../src/core/time/duration.ts';

describe('a duration', () => {
  it.each([
    [0, 0],
    [1.5, 1.5],
    ['500ms', 500],
    ['30s', 30_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['3650d', 315_360_000_000],
  ])('%j is %i ms', (given, ms) => {
    expect(parseDuration('delay', given)).toBe(ms);
  });

  it.each([-1, '-1s', '', '1 s', '1e3s', '1w', '3651d', Number.NaN, Number.POSITIVE_INFINITY, null, {}])(
    '%j is refused, and the message names the option and the value',
    (given) => {
      expect(() => parseDuration('delay', given)).toThrow(/^delay must be a duration .*, not /);
    },
  );
});

describe('a time', () => {
  it.each([
    ['2026-11-27T10:00:00Z', '2026-11-27T10:00:00.000Z'],
    ['2026-11-27T10:00+02:00', '2026-11-27T08:00:00.000Z'],
    ['2028-02-29T00:00:00.5Z', '2028-02-29T00:00:00.500Z'],
    [new Date(1), '1970-01-01T00:00:00.001Z'],
    // Long over is over.
    ['0001-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
  ])('%j is %s', (given, iso) => {
    expect(new Date(parseTime('runAt', given)).toISOString()).toBe(iso);
  });

  it.each([
    '2026-11-27',
    '2026-11-27T10:00:00',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    new Date(Number.NaN),
    5,
    '+010000-01-01T00:00:00Z',
  ])('%j is refused', (given) => {
    expect(() => parseTime('runAt', given)).toThrow(/^runAt must be a Date or an ISO 8601 time/);
  });
});

describe('retries', () => {
  const policy = (more: object) => parseRetries('retries', { limit: 3, jitter: false, ...more });
  const waits = (more: object) =>
    [1, 2, 3, 4].map((attempt) => nextTryInMs(policy(more), { attempt, error: new Error('failed') }));

  it('wait twice as long each time, by default', () => {
    expect(waits({})).toEqual([1_000, 2_000, 4_000, undefined]);
  });

  it('grow by the same amount, or not at all', () => {
    expect(waits({ backoff: 'linear', delay: '2s' })).toEqual([2_000, 4_000, 6_000, undefined]);
    expect(waits({ backoff: 'constant', delay: '2s' })).toEqual([2_000, 2_000, 2_000, undefined]);
  });

  it('wait no longer than maxDelay', () => {
    expect(waits({ maxDelay: 1_500 })).toEqual([1_000, 1_500, 1_500, undefined]);
  });

  it('call a delay function with the try and its error', () => {
    const delay = ({ attempt, error }: { attempt: number; error: unknown }) =>
      (error as Error).message === 'failed' ? `${attempt}s` : 0;
    expect(waits({ delay })).toEqual([1_000, 2_000, 3_000, undefined]);
  });

  it('are shortened by up to a half with jitter', () => {
    for (let i = 0; i < 100; i++) {
      const ms = nextTryInMs(parseRetries('retries', 1), { attempt: 1, error: 0 });
      expect(ms).toBeGreaterThanOrEqual(500);
      expect(ms).toBeLessThanOrEqual(1_000);
    }
  });

  it('follow what an error or one of its causes says', () => {
    const next = (error: unknown) => nextTryInMs(policy({}), { attempt: 1, error });
    expect(next(new RetryAfterError('later', '2h'))).toBe(7_200_000);
    expect(next(new Error('outer', { cause: new RetryAfterError('later', 5) }))).toBe(5);
    expect(next(new NonRetryableError('never'))).toBeUndefined();
    const endless = new Error('endless');
    endless.cause = endless;
    expect(next(endless)).toBe(1_000);
    // Another's class of that name, with a delay that is none.
    const other = Object.assign(new Error('later'), {
      name: 'RetryAfterError',
      delayMs: Number.POSITIVE_INFINITY,
    });
    expect(next(other)).toBe(1_000);
  });
});
