import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Batons } from './batons.ts';
import { Behaviour, type Speed } from './behaviour.ts';
import { HranaDatabase } from './database.ts';
import { Executor } from './executor.ts';
import { type Fault, fail, isExecuted, send, sendText } from './faults.ts';
import { type PipelineRequest, toSql } from './protocol.ts';
import { Replica } from './replica.ts';
import { WebSocketDoor } from './web-socket-door.ts';
import { type Leaving, WriteQueue } from './write-queue.ts';

export interface SqldOptions {
  readonly file: string;
  readonly authToken?: string;
  /** The latency added to each request, ms. Called for each. */
  readonly latencyMs?: () => number;
  /** Called for each request, in the order of arrival. */
  readonly fault?: (requestNumber: number) => Fault;
  /** Default: instant. */
  readonly speed?: Speed;
  /** Lets the time pass that an answer takes. Default: a timer. */
  readonly pause?: (ms: number) => Promise<unknown>;
  /**
   * What happens when a client closes the connection before a write is answered: the write queue breaks, or
   * nothing, for tests that kill clients. Default: break.
   */
  readonly cuts?: 'break' | 'allowed';
  /** Reads are answered by a replica that is so many commits behind. */
  readonly lag?: number;
  /** How long a transaction may hold the lock until it is taken over. Default: 5000, as in sqld. */
  readonly transactionMs?: number;
  /** How long a stream may be idle. Default: 10000, as in sqld. */
  readonly streamMs?: number;
  /** 0 for any free port. */
  readonly port?: number;
}

/**
 * A stand-in for sqld (`ghcr.io/tursodatabase/libsql-server`): Hrana over HTTP and WebSockets on a database file,
 * with one writer at a time and faults on demand. Its write queue can break ({@link WriteQueue}).
 */
export class Sqld extends Behaviour {
  /** Of all servers, because one that is started again has the same clients. */
  static #clients = 0;
  readonly #options: SqldOptions;
  readonly #database: HranaDatabase;
  readonly #replica: Replica | undefined;
  readonly #queue: WriteQueue;
  readonly #executor: Executor;
  readonly #batons: Batons;
  readonly #server: Server;
  readonly #door: WebSocketDoor;
  #isStopped = false;

  private constructor(options: SqldOptions) {
    super(options);
    this.#options = options;
    const { file, lag = 0, cuts = 'break', transactionMs = 5_000, streamMs = 10_000 } = options;
    this.#database = new HranaDatabase(file);
    this.#replica = lag === 0 ? undefined : new Replica(file, { lag });
    this.#queue = new WriteQueue({ cuts });
    this.#executor = new Executor({
      database: this.#database,
      replica: this.#replica,
      queue: this.#queue,
      transactionMs,
    });
    this.#batons = new Batons({
      idleMs: streamMs,
      onExpire: (stream) => this.#executor.endTransaction(stream),
    });
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    this.#door = new WebSocketDoor({
      behaviour: this,
      executor: this.#executor,
      queue: this.#queue,
      authToken: options.authToken,
    });
    this.#server.on('upgrade', (request, socket, head) => {
      this.#door.open(request, { socket, head, client: splitPath(request.url).client });
    });
  }

  static async start(options: SqldOptions): Promise<Sqld> {
    const sqld = new Sqld(options);
    await new Promise<void>((resolve) => sqld.#server.listen(options.port ?? 0, '127.0.0.1', resolve));
    return sqld;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** An address by which the server knows one client from others. All who use {@link url} count as one. */
  addressForClient(protocol: 'http' | 'ws' = 'http'): string {
    return `${protocol}://127.0.0.1:${this.port}/client-${++Sqld.#clients}/`;
  }

  /** The most writes that one client had under way at once. */
  get maxWrites(): number {
    return this.#queue.maxWrites;
  }

  /** The most reads that one client had under way at once. */
  get maxReads(): number {
    return this.#queue.maxReads;
  }

  /** How many streams were opened to write. */
  get writeStreams(): number {
    return this.#queue.writeStreams;
  }

  /** Reads rows directly from the file, without the protocol and its faults. */
  query(sql: string): Record<string, unknown>[] {
    const { cols, rows } = this.#database.execute({ sql }, new Map());
    return rows.map((row) => Object.fromEntries(row.map((value, i) => [cols[i]?.name ?? '', toSql(value)])));
  }

  /** Lets the replica reach its primary, for as long as nothing is committed. */
  catchUp(): void {
    this.#replica?.catchUp();
  }

  /** @throws if a client has broken the write queue. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.expireStreams();
    this.#door.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.#executor.stop();
    const { brokenBy } = this.#queue;
    if (brokenBy !== undefined) throw new Error(`the server takes no more writes, because ${brokenBy}`);
  }

  /** Ends all streams between two requests, as if they had been idle for too long. */
  expireStreams(): void {
    this.#batons.expireAll();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { client, path } = splitPath(request.url);
    if (request.method === 'GET' && ['/v2', '/v3', '/health'].includes(path)) {
      return sendText(response, 200, 'Hello');
    }
    // The server has no protobuf, so clients that ask for it use JSON instead.
    if (request.method !== 'POST' || !['/v2/pipeline', '/v3/pipeline'].includes(path)) {
      return sendText(response, 404, '');
    }
    const fault = this.noteArrival();
    response.on('close', () => void this.underWay--);
    const body = await readBody(request);
    const pipeline = parsePipeline(body);
    const leave = this.#enter(client, pipeline);
    response.on('close', () => leave(this.#leavingOf(response)));
    await this.delay();
    if (this.#isStopped) throw new Error('the server has stopped');
    if (body.length > this.refusedBytes) return sendText(response, 413, 'Content Too Large');
    const { authToken } = this.#options;
    if (authToken !== undefined && request.headers.authorization !== `Bearer ${authToken}`) {
      return send(response, 401, { error: 'Unauthorized: `The JWT is invalid`' });
    }
    if (pipeline === undefined) return sendText(response, 400, 'Could not parse the request body');
    if (fault.kind !== 'none') {
      if (isExecuted(fault)) await this.#execute(pipeline);
      if (fault.kind === 'hang') response.on('close', () => void this.abandoned++);
      else leave('cut by the server');
      return fail(response, fault, pipeline.requests);
    }
    const answer = await this.#execute(pipeline);
    if (answer === 'expired') {
      const message = 'The stream has expired due to inactivity';
      return send(response, 400, { message, code: 'STREAM_EXPIRED' });
    }
    if (answer === 'invalid') return sendText(response, 400, 'Received an invalid baton');
    const text = JSON.stringify(answer);
    if (/gzip/.test(String(request.headers['accept-encoding']))) await this.delayCompression(text.length);
    response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  }

  #enter(client: string, pipeline: PipelineRequest | undefined): (leaving: Leaving) => void {
    const stream = this.#batons.find(pipeline?.baton);
    if (pipeline === undefined || typeof stream === 'string') return this.#queue.enter(client, 'reads');
    const nature = this.#executor.natureOf(pipeline.requests, stream);
    if (nature !== 'reads' && pipeline.baton == null) this.#queue.writeStreams++;
    return this.#queue.enter(client, nature);
  }

  #leavingOf(response: ServerResponse): Leaving {
    if (response.writableFinished) return 'answered';
    return this.#isStopped ? 'cut by the server' : 'cut by the client';
  }

  async #execute({ baton, requests }: PipelineRequest) {
    const stream = this.#batons.take(baton);
    if (typeof stream === 'string') return stream;
    const results = await this.#executor.execute(requests, stream);
    const isClosed = requests.some(({ type }) => type === 'close');
    return { baton: isClosed ? null : this.#batons.keep(stream), base_url: null, results };
  }
}

/** An address may begin with the client's name. */
function splitPath(url = '/'): { client: string; path: string } {
  const [, client = 'a client', path = '/'] = /^\/(client-\d+)(\/.*)$/.exec(url) ?? [
    undefined,
    undefined,
    url,
  ];
  return { client, path };
}

function parsePipeline(body: string): PipelineRequest | undefined {
  try {
    return JSON.parse(body) as PipelineRequest;
  } catch {
    return undefined;
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
