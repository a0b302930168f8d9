import type { DurablyError } from '../core/errors/errors.ts';
import type { JournalEvent } from '../core/events.ts';
import { isObject, parseJson } from './foreign.ts';
import { FrameReader } from './frames.ts';
import { operations } from './operations.ts';
import type { Input } from './request.ts';
import { afterSilence, type Backoff, pause, pauseMs, unlessAborted } from './time.ts';
import {
  brokenOff,
  type CallOptions,
  type Failed,
  foreignAnswer,
  isPassing,
  MAX_TRIES,
  type Opened,
  type Transport,
} from './transport.ts';

/** What has become of the connection of a stream. */
export type ConnectionState =
  | { readonly kind: 'open' }
  /** It is opened again after the given time, and nothing is lost. */
  | { readonly kind: 'lost'; readonly error: DurablyError; readonly retryInMs: number };

/** How a stream is followed. */
export interface StreamOptions extends CallOptions {
  /** Only events after the one with this `sequence`. */
  readonly after?: number | undefined;
  /** Called when the connection has been opened, and when it was lost. */
  readonly onConnection?: ((state: ConnectionState) => void) | undefined;
}

/** A stream of events. */
export interface EventSource extends Omit<StreamOptions, 'after'> {
  /** The stream of one run ends with the run. */
  readonly of: 'run' | 'runs';
  readonly input: Input;
  /** `end`: where the journal ends when the connection is opened, so that earlier events are not sent. */
  readonly after?: number | 'end' | undefined;
  /** Whether the stream gives up if it can't be opened for the first time. */
  readonly firstTry: 'bounded' | 'endless';
}

/** The service sends a comment every 15 s. Without a byte for so long, the connection is dead. */
const SILENCE_MS = 45_000;
const BACKOFF: Backoff = { firstMs: 1_000, longestMs: 15_000 };

/** After these a run has no other event but its deletion. A failed or cancelled run may be retried. */
const LAST_TYPES: ReadonlySet<string> = new Set(['run:complete', 'run:delete']);
const END_TYPES: ReadonlySet<string> = new Set([...LAST_TYPES, 'run:fail', 'run:cancel']);

/** How a connection ended. */
type ConnectionEnd =
  | { readonly kind: 'over' }
  /** The run may be over. Asked again, the service says so. */
  | { readonly kind: 'unknown' }
  | Failed;

/** Where a stream is, over all of its connections. */
interface Place {
  after: number | 'end' | undefined;
  /** How many connections have failed in a row. */
  failures: number;
  hasOpened: boolean;
}

/**
 * Follows a stream through broken connections. Each event comes once, in the order of the journal. Ends when the service
 * says that no other event follows.
 *
 * @throws {DurablyError} for what no later try mends, such as an unknown run or a wrong key. The signal's reason when it
 * aborts.
 */
export async function* followEvents(
  transport: Transport,
  source: EventSource,
): AsyncGenerator<JournalEvent, void, undefined> {
  const { after, firstTry, signal, onConnection } = source;
  const place: Place = { after, failures: 0, hasOpened: firstTry === 'endless' };
  for (;;) {
    const end = yield* readConnection(transport, source, place);
    if (end.kind === 'over') return;
    if (end.kind === 'unknown') continue;
    const { error, retryAfterMs } = end;
    place.failures++;
    if (!isPassing(error) || (!place.hasOpened && place.failures >= MAX_TRIES)) throw error;
    const retryInMs = pauseMs(place.failures, BACKOFF, { random: transport.random, retryAfterMs });
    onConnection?.({ kind: 'lost', error, retryInMs });
    await pause(transport.clock, retryInMs, signal);
  }
}

/** Yields the events of one connection. */
async function* readConnection(
  transport: Transport,
  { of, input, signal, onConnection }: EventSource,
  place: Place,
): AsyncGenerator<JournalEvent, ConnectionEnd, undefined> {
  const operation = of === 'run' ? operations.runEvents : operations.events;
  const opened = await transport.open(operation, { input, headers: resumeHeader(place), signal });
  if (opened.kind === 'failed') return opened;
  const { response, where, close } = opened;
  try {
    if (response.status === 204) return { kind: 'over' };
    const isStream = /^text\/event-stream\b/.test(response.headers.get('content-type') ?? '');
    if (!isStream || response.body === null) throw foreignAnswer(opened);
    place.hasOpened = true;
    onConnection?.({ kind: 'open' });
    const end = yield* readFrames(opened, response.body.getReader(), { transport, signal, place });
    if (end.kind === 'broken') return brokenOff(where, end.cause);
    if (of === 'run' && LAST_TYPES.has(end.lastType)) return { kind: 'over' };
    if (of === 'run' && END_TYPES.has(end.lastType)) return { kind: 'unknown' };
    return brokenOff(where, new Error('the service closed the stream'));
  } finally {
    close();
  }
}

/** A stream that has not received an id yet begins where its caller wanted. */
function resumeHeader({ after }: Place): Record<string, string> {
  if (after === undefined) return {};
  return { 'last-event-id': String(after === 'end' ? Number.MAX_SAFE_INTEGER : after) };
}

type ReadEnd =
  /** The service closed the stream after an event of this type; empty if there was none. */
  | { readonly kind: 'closed'; readonly lastType: string }
  | { readonly kind: 'broken'; readonly cause: unknown };

interface Reading extends CallOptions {
  readonly transport: Transport;
  readonly place: Place;
}

async function* readFrames(
  opened: Opened,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { transport, signal, place }: Reading,
): AsyncGenerator<JournalEvent, ReadEnd, undefined> {
  const frames = new FrameReader();
  let lastType = '';
  try {
    for (let pieces = 1; ; pieces++) {
      const piece = await readPiece(reader, { transport, signal });
      if (piece.kind === 'broken') return piece;
      if (piece.kind === 'ended') return { kind: 'closed', lastType };
      // The first piece only shows that the connection could be opened.
      if (pieces > 1) place.failures = 0;
      for (const { id, data } of frames.read(piece.bytes)) {
        if (data === undefined) {
          if (id !== undefined && /^\d+$/.test(id)) place.after = Number(id);
          continue;
        }
        const event = parseJson(data);
        if (!isEvent(event)) throw foreignAnswer(opened);
        lastType = event.type;
        place.failures = 0;
        place.after = event.sequence;
        yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

type Piece =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'ended' }
  | { readonly kind: 'broken'; readonly cause: unknown };

/** Rejects only if the signal aborts. */
async function readPiece(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { transport: { clock }, signal }: Pick<Reading, 'transport' | 'signal'>,
): Promise<Piece> {
  let stopWatch = () => {};
  const silent = new Promise<Piece>((resolve) => {
    const cause = new Error(`nothing was heard for ${SILENCE_MS / 1000} s`);
    stopWatch = afterSilence(clock, SILENCE_MS, () => resolve({ kind: 'broken', cause }));
  });
  const read = reader.read().then(
    ({ done, value }): Piece => (done ? { kind: 'ended' } : { kind: 'bytes', bytes: value }),
    (cause: unknown): Piece => ({ kind: 'broken', cause }),
  );
  return await unlessAborted(Promise.race([read, silent]), signal).finally(stopWatch);
}

function isEvent(value: unknown): value is JournalEvent {
  return isObject(value) && typeof value.type === 'string' && typeof value.sequence === 'number';
}
