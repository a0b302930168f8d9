import { onAbort } from '../../core/abort-listeners.ts';
import { DatabaseUnavailableError, RunEndedError, TimeoutError } from '../../core/errors/errors.ts';
import { toError } from '../../core/errors/stored-error.ts';
import { decodeJson } from '../../core/json/json.ts';
import { shownText } from '../../core/json/sealed.ts';
import { isTerminal, parseDetail, type StoredRun } from '../../core/run.ts';
import type { Clock } from '../../core/time/clock.ts';
import { openJson } from '../plugins/codec.ts';
import type { RunsDeps } from './runs-deps.ts';

const RETRY_PAUSE_MS = 500;

type WaitDeps = Pick<RunsDeps, 'store' | 'bus' | 'feed' | 'clock' | 'plugins'>;

/**
 * Waits until a run is completed, by any process, and returns its output. If this process executes
 * it, the worker's events report the end, which saves two round trips.
 *
 * @throws {RunEndedError} if it failed, was cancelled or was deleted.
 * @throws {TimeoutError} after `timeoutMs`. The run continues.
 */
export async function waitForOutput(
  {
    runId,
    timeoutMs,
    callerStopped,
  }: {
    runId: string;
    timeoutMs?: number | undefined;
    /** Rejects when the calling run was stopped. Nobody waits then. */
    callerStopped?: Promise<unknown> | undefined;
  },
  deps: WaitDeps,
): Promise<unknown> {
  const stop = new AbortController();
  let cancelTimeout: () => void = () => undefined;
  const timedOut = new Promise<never>((_, reject) => {
    if (timeoutMs === undefined) return;
    cancelTimeout = deps.clock.schedule(timeoutMs, () => {
      stop.abort();
      reject(new TimeoutError(`timeout: run ${runId} did not complete within ${timeoutMs} ms`));
    });
  });
  let unsubscribe: () => void = () => undefined;
  const completedHere = new Promise<unknown>((resolve) => {
    unsubscribe = deps.bus.on('run:complete', (event) => {
      if (event.runId === runId) resolve(event.output ?? null);
    });
  });
  try {
    const followed = follow(runId, stop.signal, deps);
    return await Promise.race([completedHere, followed, timedOut, ...(callerStopped ? [callerStopped] : [])]);
  } finally {
    cancelTimeout();
    unsubscribe();
    stop.abort();
  }
}

/** The output of the run. What it returns once it was stopped is of no use. */
async function follow(runId: string, stop: AbortSignal, deps: WaitDeps): Promise<unknown> {
  while (!stop.aborted) {
    const run = await endOf(runId, stop, deps);
    if (run) return await outputOf(completed(run), deps);
  }
  return undefined;
}

/** Follows the run to its end. Null if a retry continued the run, or the wait was stopped. */
async function endOf(runId: string, stop: AbortSignal, deps: WaitDeps): Promise<StoredRun | null> {
  try {
    const feed = await deps.feed.openRun(runId);
    if (feed.kind === 'open') {
      const close = () => feed.cursor.close();
      const stopListening = onAbort(stop, close);
      if (stop.aborted) close();
      try {
        while ((await feed.cursor.next()) !== null);
      } finally {
        stopListening();
        close();
      }
    }
    if (stop.aborted) return null;
    const run = await deps.store.getRun(runId, { asOf: 'now' });
    if (!run) throw new RunEndedError({ runId, ending: 'deleted', message: `Run ${runId} was deleted` });
    return isTerminal(run.status) ? run : null;
  } catch (error) {
    if (!(error instanceof DatabaseUnavailableError) || error.permanent) throw error;
    await pause(deps.clock, stop);
    return null;
  }
}

/** @throws {UnreadableError} if it can't be decoded here. */
async function outputOf({ output }: StoredRun, { plugins }: Pick<WaitDeps, 'plugins'>): Promise<unknown> {
  const text = output && (await openJson(plugins.codec, output.sealed ?? output.text));
  return decodeJson(text) ?? null;
}

function completed(run: StoredRun): StoredRun {
  if (run.status === 'completed') return run;
  if (run.status === 'cancelled') {
    throw new RunEndedError({ runId: run.id, ending: 'cancelled', message: `Run ${run.id} was cancelled` });
  }
  const message = run.error === null ? `Run ${run.id} failed` : shownText(run.error);
  const cause = toError(parseDetail(run.errorDetail), message);
  throw new RunEndedError({ runId: run.id, ending: 'failed', message }, { cause });
}

function pause(clock: Clock, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const stopListening = onAbort(stop, () => {
      cancel();
      resolve();
    });
    const cancel = clock.schedule(RETRY_PAUSE_MS, () => {
      stopListening();
      resolve();
    });
    if (stop.aborted) {
      cancel();
      resolve();
    }
  });
}
