import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock, toIsoTime } from '../../src/core/time/clock.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

describe('the system clock', () => {
  afterEach(() => void vi.useRealTimers());

  it("waits for delays that are longer than a timer's maximum", () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const task = vi.fn();
    systemClock.schedule(60 * DAY_MS, task);
    vi.advanceTimersByTime(59 * DAY_MS);
    expect(task).not.toHaveBeenCalled();
    vi.advanceTimersByTime(DAY_MS);
    expect(task).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(100 * DAY_MS);
    expect(task).toHaveBeenCalledTimes(1);
  });

  it('forgets a long delay that is cancelled, at any time', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const task = vi.fn();
    const cancel = systemClock.schedule(60 * DAY_MS, task);
    vi.advanceTimersByTime(40 * DAY_MS);
    cancel();
    vi.advanceTimersByTime(100 * DAY_MS);
    expect(task).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a time as text', () => {
  it.each([
    0, 999, 59_999, 60_000, -1, -60_001, 951_782_399_999, 951_782_400_000, 1_763_841_599_009,
    253_402_300_800_000, -62_198_755_200_000, 8.64e15, -8.64e15,
  ])('equals that of Date, also for neighbouring times: %d', (epochMs) => {
    for (const at of [epochMs, epochMs === 8.64e15 ? epochMs - 1 : epochMs + 1, epochMs]) {
      expect(toIsoTime(at)).toBe(new Date(at).toISOString());
    }
  });

  it('throws for an invalid time', () => {
    for (const epochMs of [Number.NaN, Number.POSITIVE_INFINITY, 8.64e15 + 1]) {
      expect(() => toIsoTime(epochMs)).toThrow(RangeError);
    }
    expect(toIsoTime(0)).toBe('1970-01-01T00:00:00.000Z');
  });
});
