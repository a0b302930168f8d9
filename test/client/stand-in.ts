import { assembleClient } from '../../src/client/create-client.ts';
import type { DurablyClient } from '../../src/client/durably-client.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { until } from '../support/until.ts';

/** A request that the client has sent, to be answered by the test. */
export interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
  readonly signal: AbortSignal;
  answer(response: Response): void;
  fail(error: Error): void;
}

/** A connection of a stream, whose bytes the test writes. */
export interface OpenStream {
  readonly request: SentRequest;
  write(text: string): void;
  /** Resolves when the client has read everything, and waits for more. */
  untilRead(): Promise<void>;
  close(): void;
  break(): void;
}

const BASE = 'http://service/api/durably';

/** A service that does what the test says, and a client of it whose time the test tells. */
export class StandIn {
  readonly clock = new FakeClock();
  readonly client: DurablyClient;
  /** All requests so far. */
  readonly requests: SentRequest[] = [];
  #taken = 0;

  constructor({ random = () => 1 }: { readonly random?: () => number } = {}) {
    const fetch = (url: string, init: RequestInit) =>
      new Promise<Response>((resolve, reject) => {
        const { method, headers, signal: own } = new Request(url, init);
        // A request's own signal is deaf once the request was collected.
        const signal = init.signal ?? own;
        const body = typeof init.body === 'string' ? init.body : '';
        const path = url.slice(BASE.length);
        this.requests.push({ method, path, headers, body, signal, answer: resolve, fail: reject });
      });
    this.client = assembleClient({ url: BASE, fetch }, { clock: this.clock, random });
  }

  /** The next request that the client sends. */
  async next(): Promise<SentRequest> {
    const request = await until(() => this.requests[this.#taken], 'a request');
    this.#taken++;
    return request;
  }

  /** Answers the next request with a stream. */
  async nextStream(): Promise<OpenStream> {
    const request = await this.next();
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    let isWaitedFor = false;
    const source: UnderlyingDefaultSource<Uint8Array> = {
      start: (given) => {
        controller = given;
      },
      // With a queue of size zero, it is called when a read finds nothing.
      pull: () => {
        isWaitedFor = true;
      },
    };
    const body = new ReadableStream<Uint8Array>(source, { highWaterMark: 0 });
    request.answer(new Response(body, { headers: { 'content-type': 'text/event-stream' } }));
    return {
      request,
      write: (text) => {
        controller?.enqueue(new TextEncoder().encode(text));
        isWaitedFor = false;
      },
      untilRead: async () => void (await until(() => isWaitedFor, 'the client to read')),
      close: () => controller?.close(),
      break: () => controller?.error(new TypeError('terminated')),
    };
  }

  /** Lets the pause pass that follows a failed request, and returns how long it was. */
  async untilNext(): Promise<number> {
    // The client has let go of the last request, and its watch is gone.
    await until(() => this.requests.at(-1)?.signal.aborted, 'the end of a request');
    await until(() => this.clock.pendingMs.length > 0, 'a pause');
    const before = this.clock.monotonicMs();
    this.clock.advance(this.clock.pendingMs[0] ?? 0);
    await until(() => this.requests.length > this.#taken, 'another request');
    return this.clock.monotonicMs() - before;
  }
}

/** The frame of an event. */
export function frameOf(sequence: number, type: string, more: object = {}): string {
  const event = { type, timestamp: '', sequence, runId: 'run_1', jobName: 'greet', ...more };
  return `id: ${sequence}\ndata: ${JSON.stringify(event)}\n\n`;
}

export const RETRY_LINE = 'retry: 1000\n\n';

/** An answer with the status and the code of a problem. */
export function problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  const body = { type: 'about:blank', title: code, status, detail: `because of ${code}`, error: '', code };
  return Response.json(body, { status, headers: { 'content-type': 'application/problem+json', ...headers } });
}
