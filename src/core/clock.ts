/**
 * The only door to time. Nothing durable depends on it: leases, order and
 * stored timestamps come from the database's clock. It paces this process
 * (polls, heartbeats, flushes) and measures how long things took.
 */
export interface Clock {
  /** Wall-clock time, ms since the epoch. */
  now(): number;
  /** A clock that never jumps, ms since some fixed point. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`; the answer cancels it. */
  schedule(delayMs: number, task: () => void): () => void;
}

/** The longest delay that timers take: 2³¹ - 1 ms. */
const MAX_TIMER_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule: (delayMs, task) => {
    const endMs = performance.now() + delayMs;
    const fire = () => {
      const restMs = endMs - performance.now();
      if (restMs > 0) timer = setTimeout(fire, Math.min(restMs, MAX_TIMER_MS));
      else task();
    };
    // A longer timer than that would fire at once.
    let timer = delayMs > MAX_TIMER_MS ? setTimeout(fire, MAX_TIMER_MS) : setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};

/** ISO 8601 UTC with milliseconds, of ms since the epoch. */
export function toIsoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** Runs a task after this turn of the event loop, before its timers where the runtime can. */
export const defer: (task: () => void) => void =
  typeof setImmediate === 'function' ? (task) => void setImmediate(task) : (task) => void setTimeout(task, 0);
