import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { HranaDatabase, toHranaError } from './database.ts';
import { type Fault, fail, isExecuted, send, sendText } from './faults.ts';
import { type HranaRequest, type PipelineRequest, toSql } from './protocol.ts';
import { newStream, type Stream } from './stream.ts';

export interface SqldOptions {
  readonly file: string;
  readonly authToken?: string;
  /** The latency added to each request, ms. Called for each. */
  readonly latencyMs?: () => number;
  /** Called for each request, in the order of arrival. */
  readonly fault?: (requestNumber: number) => Fault;
  /** How long an interactive transaction may stay open. Default: 5000, as in sqld. */
  readonly transactionMs?: number;
  /** How long a stream may be idle. Default: 10000, as in sqld. */
  readonly streamMs?: number;
  /** 0 for any free port. */
  readonly port?: number;
}

/**
 * A stand-in for sqld (`ghcr.io/tursodatabase/libsql-server`): Hrana over HTTP on a database file, with one
 * writer at a time and faults on demand.
 */
export class Sqld {
  readonly #options: SqldOptions;
  readonly #database: HranaDatabase;
  readonly #server: Server;
  readonly #streams = new Map<string, Stream | 'expired'>();
  #turn: Promise<void> = Promise.resolve();
  #isStopped = false;
  /** The number of pipelines received. */
  requests = 0;
  /** The number of pipelines that are not answered yet. */
  underWay = 0;
  /** The number of requests that their client gave up before the answer. */
  abandoned = 0;
  /** Larger bodies are refused, as proxies do. */
  refusedBytes = Number.POSITIVE_INFINITY;
  /** Each request waits for this before anything else happens. */
  gate: (() => Promise<void>) | undefined;
  /** The executed SQL texts, in order, while recording. */
  recorded: string[] | undefined;
  latencyMs: () => number;
  fault: (requestNumber: number) => Fault;

  private constructor(options: SqldOptions) {
    this.#options = options;
    this.#database = new HranaDatabase(options.file);
    this.latencyMs = options.latencyMs ?? (() => 0);
    this.fault = options.fault ?? (() => ({ kind: 'none' }));
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
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

  /** Reads rows directly from the file, without the protocol and its faults. */
  query(sql: string): Record<string, unknown>[] {
    const { cols, rows } = this.#database.execute({ sql }, new Map());
    return rows.map((row) => Object.fromEntries(row.map((value, i) => [cols[i]?.name ?? '', toSql(value)])));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.expireStreams();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.#database.rollback();
    this.#database.close();
  }

  /** Ends all streams between two requests, as if they had been idle for too long. */
  expireStreams(): void {
    for (const baton of this.#streams.keys()) this.#expire(baton);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request;
    if (method === 'GET' && ['/v2', '/v3', '/health'].includes(url)) return sendText(response, 200, 'Hello');
    // The server has no protobuf, so clients that ask for it use JSON instead.
    if (method !== 'POST' || !['/v2/pipeline', '/v3/pipeline'].includes(url)) {
      return sendText(response, 404, '');
    }
    const number = ++this.requests;
    this.underWay++;
    response.on('close', () => void this.underWay--);
    const fault = this.fault(number);
    const body = await readBody(request);
    const latencyMs = this.latencyMs();
    if (latencyMs > 0) await pause(latencyMs);
    await this.gate?.();
    this.#throwIfStopped();
    if (body.length > this.refusedBytes) return sendText(response, 413, 'Content Too Large');
    const { authToken } = this.#options;
    if (authToken !== undefined && request.headers.authorization !== `Bearer ${authToken}`) {
      return send(response, 401, { error: 'Unauthorized: `The JWT is invalid`' });
    }
    if (fault.kind === 'none') return await this.#serve(response, body);
    if (isExecuted(fault)) await this.#pipeline(parsePipeline(body) ?? { requests: [] });
    if (fault.kind === 'hang') response.on('close', () => void this.abandoned++);
    fail(response, fault, parsePipeline(body)?.requests ?? []);
  }

  async #serve(response: ServerResponse, body: string): Promise<void> {
    const pipeline = parsePipeline(body);
    if (pipeline === undefined) return sendText(response, 400, 'Could not parse the request body');
    const answer = await this.#pipeline(pipeline);
    if (answer === 'expired') {
      const message = 'The stream has expired due to inactivity';
      return send(response, 500, { message, code: 'STREAM_EXPIRED' });
    }
    if (answer === 'invalid') return sendText(response, 400, 'Received an invalid baton');
    send(response, 200, answer);
  }

  async #pipeline({ baton, requests }: PipelineRequest) {
    const stream = baton == null ? newStream() : this.#streams.get(baton);
    if (stream === undefined) return 'invalid';
    if (stream === 'expired') return 'expired';
    if (baton != null) this.#streams.delete(baton);
    clearTimeout(stream.idleTimer);
    if (stream.release === undefined) await this.#takeTurn(stream);
    const results = requests.map((request) => this.#execute(request, stream));
    const isClosed = requests.some(({ type }) => type === 'close');
    if (isClosed) this.#database.rollback();
    if (!this.#database.inTransaction) this.#endTransaction(stream);
    else stream.transactionTimer ??= this.#timeOut(stream);
    return { baton: isClosed ? null : this.#keep(stream), base_url: null, results };
  }

  #keep(stream: Stream): string {
    const baton = randomUUID();
    this.#streams.set(baton, stream);
    stream.idleTimer = setTimeout(() => this.#expire(baton), this.#options.streamMs ?? 10_000);
    return baton;
  }

  #expire(baton: string): void {
    const stream = this.#streams.get(baton);
    if (stream === undefined || stream === 'expired') return;
    this.#streams.set(baton, 'expired');
    clearTimeout(stream.idleTimer);
    if (stream.release === undefined) return;
    this.#database.rollback();
    this.#endTransaction(stream);
  }

  #timeOut(stream: Stream): NodeJS.Timeout {
    return setTimeout(() => {
      stream.isTimedOut = true;
      this.#database.rollback();
      this.#endTransaction(stream);
    }, this.#options.transactionMs ?? 5_000);
  }

  #endTransaction(stream: Stream): void {
    clearTimeout(stream.transactionTimer);
    stream.transactionTimer = undefined;
    stream.release?.();
    stream.release = undefined;
  }

  async #takeTurn(stream: Stream): Promise<void> {
    const turn = this.#turn;
    this.#turn = new Promise((resolve) => {
      stream.release = resolve;
    });
    await turn;
    this.#throwIfStopped();
  }

  /** A closed database must not be used, because libSQL's native code would panic. */
  #throwIfStopped(): void {
    if (this.#isStopped) throw new Error('the server has stopped');
  }

  #execute(request: HranaRequest, stream: Stream) {
    const { sqls } = stream;
    if (stream.isTimedOut && request.type !== 'close') {
      stream.isTimedOut = false;
      return { type: 'error', error: { message: 'Transaction timed out', code: 'TRANSACTION_TIMEOUT' } };
    }
    try {
      return { type: 'ok', response: { type: request.type, ...this.#respond(request, sqls) } };
    } catch (error) {
      return { type: 'error', error: toHranaError(error) };
    }
  }

  #respond(request: HranaRequest, sqls: Map<number, string>): object {
    switch (request.type) {
      case 'execute':
        this.recorded?.push(request.stmt.sql ?? '');
        return { result: this.#database.execute(request.stmt, sqls) };
      case 'batch':
        return { result: this.#database.batch(request.batch, sqls) };
      case 'describe':
        return { result: this.#database.describe(request.sql ?? sqls.get(request.sql_id ?? -1) ?? '') };
      case 'sequence':
        this.#database.sequence(request.sql ?? sqls.get(request.sql_id ?? -1) ?? '');
        return {};
      case 'store_sql':
        sqls.set(request.sql_id, request.sql);
        return {};
      case 'close_sql':
        sqls.delete(request.sql_id);
        return {};
      case 'get_autocommit':
        return { is_autocommit: !this.#database.inTransaction };
      case 'close':
        return {};
    }
  }
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
