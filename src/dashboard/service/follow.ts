import {
  DatabaseUnavailableError,
  type JournalEvent,
  RateLimitedError,
  ServiceUnavailableError,
  type StreamOptions,
} from '../../client.ts';
import { connection } from './connection.ts';

/** A hidden page holds a connection for this long. A browser has only six for all tabs of a service. */
const HIDDEN_FOR_MS = 20_000;
/** Events are passed on this often at most, so that a busy service does not busy the page. */
const PORTION_MS = 50;

const AGAIN_MS = 2000;

const isPassing = (error: unknown): boolean =>
  error instanceof ServiceUnavailableError ||
  error instanceof DatabaseUnavailableError ||
  error instanceof RateLimitedError;

export interface Followed {
  /** Opens the stream after an event. It goes on by itself when its connection breaks. */
  readonly open: (options: StreamOptions) => AsyncIterable<JournalEvent>;
  readonly onEvents: (events: readonly JournalEvent[]) => void;
  readonly onEnd: (error: unknown) => void;
  /** Called when the connection has been opened, and each time it was mended. */
  readonly onOpen?: (() => void) | undefined;
  readonly after?: number | undefined;
}

/** Follows a stream while the page is seen, without a gap. Returns what stops it. */
export function follow({ open, onEvents, onEnd, onOpen, after }: Followed): () => void {
  let last = after;
  let waiting: JournalEvent[] = [];
  let isStopped = false;
  let reading: AbortController | undefined;
  let flushTimer: ReturnType<typeof setTimeout> | undefined;
  let againTimer: ReturnType<typeof setTimeout> | undefined;
  let hideTimer: ReturnType<typeof setTimeout> | undefined;

  const onConnection: StreamOptions['onConnection'] = ({ kind }) => {
    if (kind === 'lost') connection.value = 'lost';
    else onOpen?.();
  };
  const flush = () => {
    flushTimer = undefined;
    const events = waiting;
    waiting = [];
    if (events.length > 0 && !isStopped) onEvents(events);
  };
  const read = async () => {
    clearTimeout(againTimer);
    if (reading !== undefined) return;
    const own = new AbortController();
    reading = own;
    try {
      for await (const event of open({ after: last, signal: own.signal, onConnection })) {
        if (own.signal.aborted) return;
        last = event.sequence;
        waiting.push(event);
        flushTimer ??= setTimeout(flush, PORTION_MS);
      }
      if (own.signal.aborted) return;
      flush();
      onEnd(undefined);
    } catch (error) {
      if (own.signal.aborted) return;
      // The client gives up if the service was away from the start.
      if (isPassing(error)) {
        reading = undefined;
        againTimer = setTimeout(read, AGAIN_MS);
      } else onEnd(error);
    }
  };
  const onVisibility = () => {
    clearTimeout(hideTimer);
    if (document.visibilityState === 'hidden') {
      hideTimer = setTimeout(() => {
        clearTimeout(againTimer);
        reading?.abort();
        reading = undefined;
      }, HIDDEN_FOR_MS);
    } else if (reading === undefined) {
      void read();
    }
  };
  document.addEventListener('visibilitychange', onVisibility);
  // A tab that is opened in the background takes no connection before it is looked at.
  if (document.visibilityState === 'visible') void read();
  return () => {
    isStopped = true;
    document.removeEventListener('visibilitychange', onVisibility);
    clearTimeout(hideTimer);
    clearTimeout(flushTimer);
    clearTimeout(againTimer);
    reading?.abort();
  };
}
