import type { Clock } from '../core/clock.ts';
import { DatabaseUnavailableError, RunEndedError, TimeoutError } from '../core/errors.ts';
import { isTerminal, type Run } from '../core/run.ts';
import type { Store } from '../core/store.ts';
import type { EventFeed } from './event-feed.ts';

const RETRY_PAUSE_MS = 500;

interface Waiting {
  readonly store: Store;
  readonly feed: EventFeed;
  readonly clock: Clock;
}

/**
 * Waits until a run is completed, whichever process runs it.
 *
 * @throws {RunEndedError} if it failed, was cancelled or deleted.
 * @throws {TimeoutError} after `timeoutMs`; the run goes on.
 */
export async function waitForRun(
  { runId, timeoutMs }: { runId: string; timeoutMs?: number | undefined },
  deps: Waiting,
): Promise<Run> {
  const stop = new AbortController();
  const cancelTimeout =
    timeoutMs === undefined ? undefined : deps.clock.schedule(timeoutMs, () => stop.abort());
  try {
    for (;;) {
      const run = await endOf(runId, stop.signal, deps);
      if (stop.signal.aborted) {
        throw new TimeoutError(`timeout: run ${runId} did not complete within ${timeoutMs} ms`);
      }
      if (run) return completed(run);
    }
  } finally {
    cancelTimeout?.();
  }
}

/** Follows the run to an end; null when it opened again meanwhile, or the wait was stopped. */
async function endOf(runId: string, stop: AbortSignal, deps: Waiting): Promise<Run | null> {
  try {
    const feed = await deps.feed.openRun(runId);
    if (feed.kind === 'open') {
      const close = () => feed.cursor.close();
      stop.addEventListener('abort', close);
      if (stop.aborted) close();
      try {
        while ((await feed.cursor.next()) !== null);
      } finally {
        stop.removeEventListener('abort', close);
        close();
      }
    }
    if (stop.aborted) return null;
    const run = await deps.store.getRun(runId);
    if (!run) throw new RunEndedError({ runId, ending: 'deleted', message: `Run ${runId} was deleted` });
    return isTerminal(run.status) ? run : null;
  } catch (error) {
    if (!(error instanceof DatabaseUnavailableError) || error.permanent) throw error;
    await pause(deps.clock, stop);
    return null;
  }
}

function completed(run: Run): Run {
  if (run.status === 'completed') return run;
  if (run.status === 'cancelled') {
    throw new RunEndedError({ runId: run.id, ending: 'cancelled', message: `Run ${run.id} was cancelled` });
  }
  throw new RunEndedError({ runId: run.id, ending: 'failed', message: run.error ?? `Run ${run.id} failed` });
}

function pause(clock: Clock, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(RETRY_PAUSE_MS, resolve);
    stop.addEventListener('abort', () => {
      cancel();
      resolve();
    });
  });
}
