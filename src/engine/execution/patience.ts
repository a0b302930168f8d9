import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import type { Append, AppendResult } from '../../core/ownership/append.ts';
import { type PauseBounds, pauseBeforeRetry } from '../../core/retries/retry-pause.ts';
import type { Store } from '../../core/store.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { EventBus } from '../events/event-bus.ts';
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

/** Appends, and repeats that while the database is unavailable, so that an outage loses no result. */
export async function appendPatiently(
  append: Pick<Append, 'lease' | 'number' | 'entries'>,
  {
    store,
    bus,
    clock,
    isClosed,
  }: {
    readonly store: Pick<Store, 'append'>;
    readonly bus: EventBus;
    readonly clock: Clock;
    /** Whether it is not to be repeated. */
    readonly isClosed: () => boolean;
  },
): Promise<AppendResult> {
  for (let tries = 0; ; tries++) {
    const sentAtMs = clock.monotonicMs();
    try {
      return await store.append({ ...append, sentAtMs, isRepeated: tries > 0 });
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError) || error.permanent) throw error;
      if (isClosed()) return 'refused';
      if (tries === 0) bus.reportWorkerError({ error, context: 'append', runId: append.lease.runId });
    }
    await pauseBeforeRetry(clock, tries, RETRY_PAUSE);
  }
}
