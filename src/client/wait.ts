import { onAbort } from '../core/abort-listeners.ts';
import { NotFoundError, RunEndedError, TimeoutError } from '../core/errors/errors.ts';
import { toError } from '../core/errors/stored-error.ts';
import type { JournalEvent } from '../core/events.ts';
import type { Run, RunProgress } from '../core/run.ts';
import { type ConnectionState, type EventSource, followEvents } from './event-stream.ts';
import { isUnknownPath } from './problem.ts';
import type { CallOptions, Transport } from './transport.ts';

/** How long a stream may go on when the run is known to be over. It usually ends by itself, after the last progress. */
const LAST_EVENTS_WITHIN_MS = 1_000;

/** How one waits for a run. */
export interface WaitOptions extends CallOptions {
  /** How long to wait, in ms. The run goes on after it. Default: without a limit. */
  readonly timeout?: number | undefined;
  /** Called with what the run says of its progress, as far as it is known at the beginning, and with each change. */
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
}

/** A wait for a run. */
export interface RunToWaitFor extends WaitOptions {
  readonly runId: string;
  /** Whether it gives up if the service can't be reached at the beginning. */
  readonly firstTry: EventSource['firstTry'];
  readonly getRun: (signal: AbortSignal) => Promise<Run | null>;
}

/**
 * Waits until a run is completed, through retries and broken connections.
 *
 * @throws {RunEndedError} if it failed, was cancelled or was deleted. @throws {TimeoutError} when the time is up.
 */
export async function waitForRun(transport: Transport, wait: RunToWaitFor): Promise<Run> {
  const { runId, timeout, signal } = wait;
  const stop = new AbortController();
  const stopListening = signal && onAbort(signal, () => stop.abort(signal.reason));
  if (signal?.aborted) stop.abort(signal.reason);
  const late = new TimeoutError(`timeout: run ${runId} did not complete within ${timeout} ms`);
  const cancelTimeout =
    timeout === undefined ? undefined : transport.clock.schedule(timeout, () => stop.abort(late));
  try {
    return completed(runId, await endOf(transport, wait, stop.signal));
  } finally {
    cancelTimeout?.();
    stopListening?.();
    stop.abort();
  }
}

/** The run when it is over. Null if it was deleted. @throws {NotFoundError} for a run that there never was. */
async function endOf(transport: Transport, wait: RunToWaitFor, signal: AbortSignal): Promise<Run | null> {
  const { firstTry, getRun, onProgress } = wait;
  let run: Run | null | undefined;
  if (firstTry === 'bounded' || onProgress !== undefined) {
    run = await getRun(signal);
    if (run === null && firstTry === 'bounded') throw new NotFoundError('Run not found');
    if (run?.progress) onProgress?.(run.progress);
  }
  // A retry may continue the run after its stream has ended.
  while (run === undefined || run?.isActive) {
    const ended = await followToEnd(transport, wait, signal);
    run = ended === 'deleted' ? null : await getRun(signal);
  }
  return run;
}

async function followToEnd(
  transport: Transport,
  { runId, firstTry, getRun, onProgress }: RunToWaitFor,
  signal: AbortSignal,
): Promise<'ended' | 'deleted'> {
  const stop = new AbortController();
  const stopListening = onAbort(signal, () => stop.abort(signal.reason));
  if (signal.aborted) stop.abort(signal.reason);
  let cancelEnd = () => {};
  const endIfOver = async () => {
    const run = await getRun(stop.signal);
    if (run?.isActive || stop.signal.aborted) return;
    cancelEnd();
    cancelEnd = transport.clock.schedule(LAST_EVENTS_WITHIN_MS, () => stop.abort());
  };
  // An older service may begin its stream after the run's end, and then the stream never ends.
  const onConnection = ({ kind }: ConnectionState) => {
    // If the run can't be read, the stream alone tells.
    if (kind === 'open') endIfOver().catch(() => undefined);
  };
  const source = { of: 'run', input: { runId }, after: 'end', signal: stop.signal, firstTry } as const;
  try {
    for await (const event of followEvents(transport, { ...source, onConnection })) {
      if (event.type === 'run:progress') onProgress?.(progressOf(event.progress));
      if (event.type === 'run:delete') return 'deleted';
    }
    return 'ended';
  } catch (error) {
    signal.throwIfAborted();
    if (stop.signal.aborted) return 'ended';
    // The run was there before.
    if (error instanceof NotFoundError && !isUnknownPath(error)) return 'deleted';
    throw error;
  } finally {
    cancelEnd();
    stopListening();
    stop.abort();
  }
}

function progressOf({ current, total, message }: JournalEvent<'run:progress'>['progress']): RunProgress {
  return { current, ...(total !== undefined && { total }), ...(message !== undefined && { message }) };
}

function completed(runId: string, run: Run | null): Run {
  if (run === null)
    throw new RunEndedError({ runId, ending: 'deleted', message: `Run ${runId} was deleted` });
  if (run.status === 'completed') return run;
  if (run.status === 'cancelled') {
    throw new RunEndedError({ runId, ending: 'cancelled', message: `Run ${runId} was cancelled` });
  }
  const message = run.error ?? `Run ${runId} failed`;
  throw new RunEndedError({ runId, ending: 'failed', message }, { cause: toError(run.errorDetail, message) });
}
