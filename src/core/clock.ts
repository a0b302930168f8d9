import { callOutsideRuns } from './run-context.ts';

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
  schedule: (delayMs, task) => callOutsideRuns(() => schedule(delayMs, task)),
};

function schedule(delayMs: number, task: () => void): () => void {
  const endMs = performance.now() + delayMs;
  const fire = () => {
    const restMs = endMs - performance.now();
    if (restMs > 0) timer = setTimeout(fire, Math.min(restMs, MAX_TIMER_MS));
    else task();
  };
  // A longer timer than that would fire at once.
  let timer = delayMs > MAX_TIMER_MS ? setTimeout(fire, MAX_TIMER_MS) : setTimeout(task, delayMs);
  return () => clearTimeout(timer);
}

const MINUTE_MS = 60_000;
let lastMinute = Number.NaN;
let lastMinuteText = '';

/**
 * ISO 8601 UTC with milliseconds, of whole ms since the epoch. A list of runs
 * has eighty, most of them of the same minute: that is written out once.
 */
export function toIsoTime(epochMs: number): string {
  const minute = Math.floor(epochMs / MINUTE_MS);
  if (minute !== lastMinute) {
    lastMinuteText = new Date(epochMs).toISOString().slice(0, -'00.000Z'.length);
    lastMinute = minute;
  }
  const ms = epochMs - minute * MINUTE_MS;
  const digits = String(100_000 + Math.trunc(ms));
  return `${lastMinuteText}${digits.slice(1, 3)}.${digits.slice(3)}Z`;
}

const later: (task: () => void) => void =
  typeof setImmediate === 'function' ? (task) => void setImmediate(task) : (task) => void setTimeout(task, 0);

/**
 * Runs a task after this turn of the event loop, before its timers where the runtime
 * can. It is the engine's task, also when a job's call led to it.
 */
export function defer(task: () => void): void {
  callOutsideRuns(() => later(task));
}
