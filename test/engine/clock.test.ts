import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

describe('the system clock', () => {
  afterEach(() => void vi.useRealTimers());

  it('waits for delays longer than a timer takes', () => {
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

  it('forgets a long delay that was cancelled, at any time', () => {
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
