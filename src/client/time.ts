import { onAbort } from '../core/abort-listeners.ts';
import type { Clock } from '../core/time/clock.ts';

/** The longest delay that timers take: 2³¹ - 1 ms. */
const MAX_TIMER_MS = 2_147_483_647;

/** The clock of the program that uses the client. */
export const clientClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule: (delayMs, task) => {
    const [nowMs, laterMs] = [Math.min(delayMs, MAX_TIMER_MS), delayMs - MAX_TIMER_MS];
    let cancel = () => clearTimeout(timer);
    const timer = setTimeout(() => {
      if (laterMs > 0) cancel = clientClock.schedule(laterMs, task);
      else task();
    }, nowMs);
    return () => cancel();
  },
};

/** What the client takes from its surroundings. Tests give their own. */
export interface Surroundings {
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** The pauses between tries, from the shortest to the longest. */
export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** The longest time for which a service's `Retry-After` is heeded. */
const LONGEST_RETRY_AFTER_MS = 60_000;

/**
 * How long to wait before the next try: twice as long after each failure, and between half and all of that by chance, so
 * that clients that lost the same service do not come back at once. Not before the time that the service named.
 *
 * @param failures how many tries have failed in a row, at least 1.
 */
export function pauseMs(
  failures: number,
  { firstMs, longestMs }: Backoff,
  { random, retryAfterMs }: { readonly random: () => number; readonly retryAfterMs: number | null },
): number {
  const fullMs = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 30));
  const chosenMs = fullMs * (0.5 + random() / 2);
  return Math.max(chosenMs, Math.min(retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS) + chosenMs / 4);
}

/** Waits for so long. Rejects with the signal's reason when it aborts. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  let cancel = () => {};
  const over = new Promise<void>((resolve) => {
    cancel = clock.schedule(ms, resolve);
  });
  await unlessAborted(over, signal).finally(cancel);
}

/** The promise, or a rejection with the signal's reason as soon as it aborts. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  let stopListening = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stopListening = onAbort(signal, () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
  });
  promise.catch(() => undefined);
  return await Promise.race([promise, aborted]).finally(stopListening);
}

/** How often it is looked whether a connection is silent. After a computer has slept, this is how long it takes to notice. */
const LOOK_MS = 5_000;

/**
 * Calls `task` when so much time has passed, by the wall clock or by the steady one. While a computer sleeps, timers and
 * some steady clocks stand still, so that one long timer would ring far too late.
 *
 * @returns a function that cancels it.
 */
export function afterSilence(clock: Clock, limitMs: number, task: () => void): () => void {
  const start = { wallMs: clock.now(), steadyMs: clock.monotonicMs() };
  const look = () => {
    const passedMs = Math.max(clock.now() - start.wallMs, clock.monotonicMs() - start.steadyMs);
    if (passedMs >= limitMs) task();
    else cancel = clock.schedule(Math.min(LOOK_MS, limitMs - passedMs), look);
  };
  let cancel = clock.schedule(Math.min(LOOK_MS, limitMs), look);
  return () => cancel();
}
