import { onAbort } from '../core/abort-listeners.ts';
import type { EventCursor, StreamedEvent } from '../core/feeds.ts';
import { type Clock, systemClock } from '../core/time/clock.ts';
import { concatBytes } from './body.ts';

const DEFAULT_KEEP_ALIVE_MS = 15_000;
const RECONNECT_MS = 1000;

/** `no-transform` and `X-Accel-Buffering` stop proxies from buffering frames. */
export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const;

const encoder = new TextEncoder();
const keepAliveFrame = encoder.encode(': keep-alive\n\n');
const frames = new WeakMap<StreamedEvent, Uint8Array>();

/** Many streams send the same event, so its bytes are encoded once. */
function frameOf(streamed: StreamedEvent): Uint8Array {
  const known = frames.get(streamed);
  if (known !== undefined) return known;
  const frame = encoder.encode(`id: ${streamed.sequence}\ndata: ${streamed.json}\n\n`);
  frames.set(streamed, frame);
  return frame;
}

const chunks = new WeakMap<readonly StreamedEvent[], Uint8Array>();

/** Streams at the same position receive the same list of events. */
function chunkOf(events: readonly StreamedEvent[]): Uint8Array {
  const known = chunks.get(events);
  if (known !== undefined) return known;
  const chunk = concatBytes(events.map(frameOf));
  chunks.set(events, chunk);
  return chunk;
}

/** A frame without data only sets the id for a later reconnect. */
function openingFrame(head: number | undefined): Uint8Array {
  return encoder.encode(`retry: ${RECONNECT_MS}\n\n${head === undefined ? '' : `id: ${head}\n\n`}`);
}

/** What a stream is made of. */
export interface EventStreamOptions {
  readonly cursor: EventCursor;
  /** Sent as the id of the first frame. */
  readonly head?: number;
  /** The request's signal. When it aborts, the stream ends. */
  readonly signal: AbortSignal;
  /** Receives the error that broke the stream. */
  readonly report: (error: unknown) => void;
}

export interface EventStreams {
  /**
   * Streams a feed (https://html.spec.whatwg.org/multipage/server-sent-events.html). It reads the journal only
   * as fast as the client reads. The cursor is closed however the stream ends.
   */
  open(options: EventStreamOptions): ReadableStream<Uint8Array>;
}

/**
 * @param options.shutdown ends every stream; clients reconnect and resume.
 * @param options.keepAliveMs how often an idle stream sends a comment. Default: 15 s.
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
    // A queue of size zero: frames are requested only when the client reads.
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
  /** Undefined when the stream has ended. */
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
      // The text of a stream error would reach the client. So the stream only ends, and the client resumes.
      if (this.#controller !== undefined) this.#parts.report(error);
      this.end();
    }
  }

  cancel(): void {
    this.#release();
  }

  /** Closes the stream after the frames in its queue. */
  readonly end = (): void => this.#release()?.close();

  /** Releases all resources. The first call returns the controller. */
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
      // A negative size means that a frame is already waiting for the reader.
      if (this.#controller?.desiredSize === 0) this.#controller.enqueue(keepAliveFrame);
      this.#keepAliveLater();
    });
  }
}
