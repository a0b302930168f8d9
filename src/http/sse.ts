import { onAbort } from '../core/abort-listeners.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import type { EventCursor, StreamedEvent } from '../core/durably.ts';
import { concatBytes } from './body.ts';

const DEFAULT_KEEP_ALIVE_MS = 15_000;
const RECONNECT_MS = 1000;

/** `no-transform` and `X-Accel-Buffering` keep proxies from holding frames back. */
export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const;

const encoder = new TextEncoder();
const keepAliveFrame = encoder.encode(': keep-alive\n\n');
const frames = new WeakMap<StreamedEvent, Uint8Array>();

/** Many readers are sent the same event: its bytes are made once. */
function frameOf(streamed: StreamedEvent): Uint8Array {
  const known = frames.get(streamed);
  if (known !== undefined) return known;
  const frame = encoder.encode(`id: ${streamed.sequence}\ndata: ${streamed.json}\n\n`);
  frames.set(streamed, frame);
  return frame;
}

const chunks = new WeakMap<readonly StreamedEvent[], Uint8Array>();

/** Readers at the same place are sent the same list. */
function chunkOf(events: readonly StreamedEvent[]): Uint8Array {
  const known = chunks.get(events);
  if (known !== undefined) return known;
  const chunk = concatBytes(events.map(frameOf));
  chunks.set(events, chunk);
  return chunk;
}

/** A frame without data only sets the id from which a reconnect resumes. */
function openingFrame(head: number | undefined): Uint8Array {
  return encoder.encode(`retry: ${RECONNECT_MS}\n\n${head === undefined ? '' : `id: ${head}\n\n`}`);
}

/** What a stream is made of. */
export interface EventStreamOptions {
  readonly cursor: EventCursor;
  /** Told in the first frame. */
  readonly head?: number;
  /** The request's: ends the stream. */
  readonly signal: AbortSignal;
  /** Hears why the stream broke off. */
  readonly report: (error: unknown) => void;
}

export interface EventStreams {
  /**
   * Streams a feed (https://html.spec.whatwg.org/multipage/server-sent-events.html).
   * It reads the journal only as fast as it is read itself. However it ends,
   * the cursor is closed.
   */
  open(options: EventStreamOptions): ReadableStream<Uint8Array>;
}

/**
 * @param options.shutdown ends every stream; clients reconnect and resume.
 * @param options.keepAliveMs how often a stream without events sends a comment; 15 s unless given.
 */
export function createEventStreams(options: {
  readonly keepAliveMs?: number | undefined;
  readonly shutdown?: AbortSignal | undefined;
  readonly clock?: Clock;
}): EventStreams {
  const { shutdown, keepAliveMs = DEFAULT_KEEP_ALIVE_MS, clock = systemClock } = options;
  const open: EventStreams['open'] = (given) => {
    let stopListening: (() => void) | undefined;
    const onEnd = () => stopListening?.();
    const source: FrameSource = new FrameSource({ ...given, keepAliveMs, clock, onEnd });
    stopListening = shutdown && onAbort(shutdown, source.end);
    // With no room of its own the stream asks for frames only when someone reads.
    const stream = new ReadableStream<Uint8Array>(source, { highWaterMark: 0 });
    if (shutdown?.aborted) source.end();
    return stream;
  };

  return { open };
}

interface FrameSourceParts extends EventStreamOptions {
  readonly keepAliveMs: number;
  readonly clock: Clock;
  readonly onEnd: () => void;
}

class FrameSource implements UnderlyingDefaultSource<Uint8Array> {
  readonly #parts: FrameSourceParts;
  /** Undefined once the stream is over. */
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #stopKeepAlive = () => {};
  #stopListening = () => {};

  constructor(parts: FrameSourceParts) {
    this.#parts = parts;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const { head, signal } = this.#parts;
    this.#controller = controller;
    controller.enqueue(openingFrame(head));
    this.#keepAliveLater();
    this.#stopListening = onAbort(signal, this.end);
    if (signal.aborted) this.end();
  }

  async pull(): Promise<void> {
    try {
      const events = await this.#parts.cursor.next();
      if (events === null) this.end();
      else this.#controller?.enqueue(chunkOf(events));
    } catch (error) {
      // An error in the stream would reach the client as text: it just ends, and the client resumes.
      if (this.#controller !== undefined) this.#parts.report(error);
      this.end();
    }
  }

  cancel(): void {
    this.#release();
  }

  /** Closes the stream after the frames it holds. */
  readonly end = (): void => this.#release()?.close();

  /** Frees everything; answers with the controller the first time. */
  #release(): ReadableStreamDefaultController<Uint8Array> | undefined {
    const controller = this.#controller;
    if (controller === undefined) return undefined;
    this.#controller = undefined;
    this.#stopKeepAlive();
    this.#stopListening();
    this.#parts.cursor.close();
    this.#parts.onEnd();
    return controller;
  }

  #keepAliveLater(): void {
    const { clock, keepAliveMs } = this.#parts;
    this.#stopKeepAlive = clock.schedule(keepAliveMs, () => {
      // Below zero a frame waits for the reader already.
      if (this.#controller?.desiredSize === 0) this.#controller.enqueue(keepAliveFrame);
      this.#keepAliveLater();
    });
  }
}
