import { setImmediate as nextTurn } from 'node:timers/promises';
import { Batons } from './batons.ts';
import { HranaDatabase } from './database.ts';
import { Executor } from './executor.ts';
import type { PipelineRequest } from './protocol.ts';
import { WriteQueue } from './write-queue.ts';

/**
 * The stand-in for a libSQL server that is called instead of being connected to, for tests that are about the
 * database and not about the network. It takes half the time of `Sqld`. A client gets {@link fetch}.
 */
export class SqldWithoutSockets {
  static #clients = 0;
  readonly #database: HranaDatabase;
  readonly #queue = new WriteQueue({ cuts: 'break' });
  readonly #executor: Executor;
  readonly #batons: Batons;
  #isStopped = false;

  constructor(file: string) {
    this.#database = new HranaDatabase(file);
    this.#executor = new Executor({
      database: this.#database,
      replica: undefined,
      queue: this.#queue,
      transactionMs: 5_000,
    });
    this.#batons = new Batons({
      idleMs: 10_000,
      onExpire: (stream) => this.#executor.endTransaction(stream),
    });
  }

  /** An address and a `fetch` for one client, which the write queue tells from others. */
  openClient(): { readonly url: string; readonly fetch: (request: Request) => Promise<Response> } {
    const client = `client ${++SqldWithoutSockets.#clients}`;
    return { url: 'http://no-sockets.invalid', fetch: (request) => this.#fetch(client, request) };
  }

  /** @throws if a client has broken the write queue. */
  stop(): void {
    this.#isStopped = true;
    this.#batons.expireAll();
    this.#executor.stop();
    const { brokenBy } = this.#queue;
    if (brokenBy !== undefined) throw new Error(`the server takes no more writes, because ${brokenBy}`);
  }

  async #fetch(client: string, request: Request): Promise<Response> {
    const { baton, requests } = (await request.json()) as PipelineRequest;
    const known = this.#batons.find(baton);
    const nature = typeof known === 'string' ? 'reads' : this.#executor.natureOf(requests, known);
    const leave = this.#queue.enter(client, nature);
    try {
      // As from a network, nothing is answered within the turn of the event loop in which it was asked.
      await nextTurn();
      if (this.#isStopped) throw new TypeError('fetch failed');
      return await this.#answer({ baton: baton ?? null, requests });
    } finally {
      leave('answered');
    }
  }

  async #answer({ baton, requests }: PipelineRequest): Promise<Response> {
    const stream = this.#batons.take(baton);
    if (stream === 'invalid') return new Response('Received an invalid baton', { status: 400 });
    if (stream === 'expired') {
      const error = { message: 'The stream has expired due to inactivity', code: 'STREAM_EXPIRED' };
      return Response.json(error, { status: 500 });
    }
    const results = await this.#executor.execute(requests, stream);
    const isClosed = requests.some(({ type }) => type === 'close');
    return Response.json({ baton: isClosed ? null : this.#batons.keep(stream), base_url: null, results });
  }
}
