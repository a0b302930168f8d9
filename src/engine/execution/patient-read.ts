import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import { type PauseBounds, pauseBeforeRetry } from '../../core/retry-pause.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { RunControl } from './run-control.ts';

/** The pauses while the database is unavailable. */
const RETRY_PAUSE: PauseBounds = { firstMs: 100, maxMs: 5_000 };

/**
 * Reads for a run, however long the database is unavailable.
 *
 * @throws {RunCancelledError | LeaseLostError} once the run is no longer this worker's.
 */
export async function readPatiently<T>(
  { control, clock }: { readonly control: RunControl; readonly clock: Clock },
  read: () => Promise<T>,
): Promise<T> {
  for (let tries = 0; ; tries++) {
    control.throwIfOver();
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError) || error.permanent) throw error;
    }
    await pauseBeforeRetry(clock, tries, RETRY_PAUSE);
  }
}
