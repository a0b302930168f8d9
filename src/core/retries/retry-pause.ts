import type { Clock } from '../time/clock.ts';

/** The bounds of the pauses between the tries of something. */
export interface PauseBounds {
  /** The longest pause before the first retry. It doubles with each retry. */
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * A random pause before a retry, so that callers that failed together don't return together; ms.
 * `tries` is how many retries there were before.
 */
export function retryPauseMs(tries: number, { firstMs, maxMs }: PauseBounds): number {
  return Math.random() * Math.min(maxMs, firstMs * 2 ** tries);
}

/** Waits for a {@link retryPauseMs}. */
export async function pauseBeforeRetry(clock: Clock, tries: number, bounds: PauseBounds): Promise<void> {
  await new Promise<void>((resolve) => clock.schedule(retryPauseMs(tries, bounds), resolve));
}
