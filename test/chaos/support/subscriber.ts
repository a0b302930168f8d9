import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from './eventually.ts';
import type { Fleet } from './fleet.ts';
import type { Random } from './random.ts';

export interface Frame {
  readonly id: number;
  readonly data: string;
}

interface SubscriberOptions {
  readonly fleet: Fleet;
  readonly random: Random;
  /** The path below the base path. */
  readonly path: string;
  /** Disconnects by itself after 1 to this many frames. Never if undefined. */
  readonly patience?: number | undefined;
}

/**
 * A restless EventSource: it reconnects with Last-Event-ID to any process, until it gets 204 and nobody expects
 * more.
 */
export class Subscriber {
  readonly frames: Frame[] = [];
  /** The number of connections. */
  connections = 0;
  /** Answers that it must not get. */
  readonly violations: string[] = [];
  readonly #options: SubscriberOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #lastEventId: string | undefined;
  #isLast = false;
  #isOver = false;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#done = this.#follow();
  }

  /** Whether it has an id to resume from, so that it will see every later event. */
  get isConnected(): boolean {
    return this.#lastEventId !== undefined;
  }

  get lastId(): number {
    return Number(this.#lastEventId ?? 0);
  }

  /** Resolves when the stream has ended with 204. */
  async finish(): Promise<void> {
    this.#isLast = true;
    let isDone = false;
    void this.#done.then(() => {
      isDone = true;
    });
    await eventually(`${this.#options.path} to end`, () => isDone, {
      withinMs: this.#options.fleet.stored.patienceMs,
    });
  }

  /** Disconnects for good. */
  async close(): Promise<void> {
    this.#isOver = true;
    this.#stop.abort();
    await this.#done;
  }

  async #follow(): Promise<void> {
    const { fleet, random } = this.#options;
    while (!this.#isOver) {
      const api = fleet.anyApi(random);
      const end = api === undefined ? 'broken' : await this.#connect(api.base).catch(() => 'broken' as const);
      if (end === 'nothing left' && this.#isLast) return;
      if (end !== 'restless') await pause(random.int(5, 60));
    }
  }

  async #connect(base: string): Promise<'nothing left' | 'restless' | 'broken'> {
    const { random, patience, path } = this.#options;
    const connection = new AbortController();
    const signal = AbortSignal.any([connection.signal, this.#stop.signal]);
    const headers = this.#lastEventId === undefined ? {} : { 'last-event-id': this.#lastEventId };
    const response = await fetch(`${base}${path}`, { headers, signal });
    if (response.status === 204) return 'nothing left';
    if (response.status !== 200 || response.body === null) {
      if (response.status !== 503) this.violations.push(`${path} was answered ${response.status}`);
      return 'broken';
    }
    this.connections++;
    let left = patience === undefined ? Number.POSITIVE_INFINITY : random.int(1, patience);
    for await (const frame of framesOf(response.body)) {
      this.#take(frame);
      if (--left <= 0) {
        connection.abort();
        return 'restless';
      }
    }
    return 'broken';
  }

  #take(text: string): void {
    const id = fieldOf(text, 'id');
    const data = fieldOf(text, 'data');
    if (id === undefined) return;
    this.#lastEventId = id;
    if (data !== undefined) this.frames.push({ id: Number(id), data });
  }
}

/** Only whole frames count, because a broken connection may cut one off. */
async function* framesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    const frames = (text + decoder.decode(chunk, { stream: true })).split('\n\n');
    text = frames.pop() ?? '';
    yield* frames;
  }
}

/** Lines end only at a line feed. JSON may contain other characters that look like line ends. */
function fieldOf(frame: string, name: string): string | undefined {
  const line = frame.split('\n').find((each) => each.startsWith(`${name}: `));
  return line?.slice(name.length + 2);
}
