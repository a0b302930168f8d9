import { LibsqlError } from '@libsql/client';
import * as hrana from '@libsql/hrana-client';
import type { CompiledQuery, QueryResult } from 'kysely';
import { type Clock, systemClock } from '../../../core/time/clock.ts';
import { MAX_IDLE_SOCKET_MS, toClientError } from './held-stream.ts';

export interface ReadsOptions {
  readonly url: string;
  readonly authToken: string | undefined;
  /** Sends requests over HTTP. Aborting `cut` ends the request. */
  readonly fetch: (request: Request, cut: AbortController) => Promise<Response>;
  readonly clock?: Clock;
}

/** It executes one read at a time. */
interface Reader {
  readonly client: hrana.Client;
  usedMs: number;
  /** Ends the read that is under way, too. */
  close(): void;
}

/**
 * Executes reads that can be ended. `@libsql/client` has no way to end a request, and over a WebSocket its requests share one:
 * a server that hangs would see each read that was given up beside those that follow.
 */
export class Reads {
  readonly #connect: () => Pick<Reader, 'client' | 'close'>;
  readonly #clock: Clock;
  readonly #readers = new Set<Reader>();
  #idle: Reader[] = [];
  #isClosed = false;

  constructor({ url, authToken, fetch, clock = systemClock }: ReadsOptions) {
    const { hranaHttpUrl, hranaWsUrl, authToken: ownToken } = hrana.parseLibsqlUrl(url);
    const token = authToken ?? ownToken;
    this.#clock = clock;
    this.#connect = () => {
      if (hranaWsUrl !== undefined) {
        const client = hrana.openWs(hranaWsUrl, token);
        return { client, close: () => client.close() };
      }
      const cut = new AbortController();
      const client = hrana.openHttp(hranaHttpUrl ?? url, token, (request: Request) => fetch(request, cut));
      return { client, close: () => cut.abort(new Error('the read was given up')) };
    };
  }

  /** Its errors are like those of `@libsql/client`. */
  async read<R>({ sql, parameters }: CompiledQuery, signal: AbortSignal): Promise<QueryResult<R>> {
    if (this.#isClosed) throw new LibsqlError('The client is closed', 'CLIENT_CLOSED');
    const reader = this.#take() ?? this.#open();
    const cut = () => this.#close(reader);
    signal.addEventListener('abort', cut);
    try {
      const stream = reader.client.openStream();
      const answer = stream.query(new hrana.Stmt(sql).bindIndexes(parameters as hrana.InValue[]));
      // Leaves in the same request.
      stream.closeGracefully();
      const { rows } = await answer;
      this.#keep(reader);
      return { rows: rows as R[] };
    } catch (error) {
      if (error instanceof hrana.ResponseError) this.#keep(reader);
      else cut();
      throw toClientError(error);
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const reader of this.#readers) this.#close(reader);
  }

  #open(): Reader {
    const reader = { ...this.#connect(), usedMs: this.#clock.monotonicMs() };
    reader.client.intMode = 'number';
    this.#readers.add(reader);
    return reader;
  }

  /** One that is idle and still connected, as far as is known. */
  #take(): Reader | undefined {
    for (let reader = this.#idle.pop(); reader !== undefined; reader = this.#idle.pop()) {
      const isFresh = this.#clock.monotonicMs() - reader.usedMs < MAX_IDLE_SOCKET_MS;
      if (isFresh && !reader.client.closed) return reader;
      this.#close(reader);
    }
    return undefined;
  }

  #keep(reader: Reader): void {
    reader.usedMs = this.#clock.monotonicMs();
    this.#idle.push(reader);
  }

  #close(reader: Reader): void {
    this.#readers.delete(reader);
    reader.close();
  }
}
