import { callOutsideRuns } from '../run-context.ts';

/**
 * The process's clock, the only source of time in the engine. It paces polls, heartbeats
 * and flushes and measures durations. Leases, order and stored times come from the
 * database's clock instead.
 */
export interface Clock {
  /** Wall-clock time, ms since the epoch. */
  now(): number;
  /** A clock that never jumps, ms since some fixed point. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`. Call the returned function to cancel it. */
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
  // Node fires a timer at once if its delay is longer.
  let timer = delayMs > MAX_TIMER_MS ? setTimeout(fire, MAX_TIMER_MS) : setTimeout(task, delayMs);
  return () => clearTimeout(timer);
}

const MINUTE_MS = 60_000;
let lastMinute = Number.NaN;
let lastMinuteText = '';

/**
 * Whole ms since the epoch as ISO 8601 UTC with milliseconds. The minute's text is kept,
 * because most times in a list of runs are of the same minute.
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
 * Runs a task after this turn of the event loop, and before timers where the runtime can. The task
 * belongs to the engine, even if a job's call led to it.
 */
export function defer(task: () => void): void {
  callOutsideRuns(() => later(task));
}
