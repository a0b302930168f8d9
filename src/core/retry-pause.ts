import type { Clock } from './clock.ts';

export interface PauseBounds {
  /** The most that the pause before the first retry takes. It doubles with each try. */
  readonly firstMs: number;
  readonly maxMs: number;
}

/** A random pause, so that those who failed together don't try again together. `tries` counts the retries before; ms. */
export function retryPauseMs(tries: number, { firstMs, maxMs }: PauseBounds): number {
  return Math.random() * Math.min(maxMs, firstMs * 2 ** tries);
}

/** Waits for a {@link retryPauseMs}. */
export async function pauseBeforeRetry(clock: Clock, tries: number, bounds: PauseBounds): Promise<void> {
  await new Promise<void>((resolve) => clock.schedule(retryPauseMs(tries, bounds), resolve));
}
