import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { HranaDatabase, toHranaError } from './database.ts';
import { type HranaRequest, type PipelineRequest, toSql } from './protocol.ts';

/** What goes wrong with a request: nothing, or how. */
export type Fault =
  | { readonly kind: 'none' }
  /** The connection dies before the request was executed, or after. */
  | { readonly kind: 'drop'; readonly when: 'before' | 'after' }
  | { readonly kind: 'status'; readonly status: number }
  /** Executed, but the answer never comes. */
  | { readonly kind: 'hang'; readonly when: 'before' | 'after' };

export interface SqldOptions {
  readonly file: string;
  readonly authToken?: string;
  /** Added to each request, ms; called for each. */
  readonly latencyMs?: () => number;
  /** Called for each request, in the order they come. */
  readonly fault?: (requestNumber: number) => Fault;
  /** How long an interactive transaction may stay open; 5000 as on Turso. */
  readonly transactionMs?: number;
}

interface Stream {
  readonly sqls: Map<number, string>;
  /** Gives the database to the next; set while the stream has a transaction open. */
  release: (() => void) | undefined;
  expiry: NodeJS.Timeout | undefined;
}

/**
 * Stands in for sqld (`ghcr.io/tursodatabase/libsql-server`) at the wire: Hrana
 * over HTTP on a database file, one writer at a time, with faults on demand.
 */
export class Sqld {
  readonly #options: SqldOptions;
  readonly #database: HranaDatabase;
  readonly #server: Server;
  readonly #streams = new Map<string, Stream>();
  #turn: Promise<void> = Promise.resolve();
  /** How many pipelines were received. */
  requests = 0;
  /** The SQL texts executed, in order, while recording. */
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
    await new Promise<void>((resolve) => sqld.#server.listen(0, '127.0.0.1', resolve));
    return sqld;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Rows as the file has them, past the wire and its faults. */
  query(sql: string): Record<string, unknown>[] {
    const { cols, rows } = this.#database.execute({ sql }, new Map());
    return rows.map((row) => Object.fromEntries(row.map((value, i) => [cols[i]?.name ?? '', toSql(value)])));
  }

  async stop(): Promise<void> {
    for (const { expiry } of this.#streams.values()) clearTimeout(expiry);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.#database.rollback();
    this.#database.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const number = ++this.requests;
    const fault = this.fault(number);
    const body = await readBody(request);
    const latencyMs = this.latencyMs();
    if (latencyMs > 0) await pause(latencyMs);
    if (request.url !== '/v2/pipeline') return send(response, 404, { message: 'not found' });
    const { authToken } = this.#options;
    if (authToken !== undefined && request.headers.authorization !== `Bearer ${authToken}`) {
      return send(response, 401, { message: 'Unauthorized', code: 'AUTH' });
    }
    if (fault.kind === 'status') return send(response, fault.status, { message: `status ${fault.status}` });
    if (fault.kind === 'drop' && fault.when === 'before') return void request.socket.destroy();
    if (fault.kind === 'hang' && fault.when === 'before') return;
    const answer = await this.#pipeline(JSON.parse(body) as PipelineRequest);
    if (fault.kind === 'drop') return void request.socket.destroy();
    if (fault.kind === 'hang') return;
    send(
      response,
      answer === undefined ? 400 : 200,
      answer ?? { message: 'stream expired', code: 'STREAM_EXPIRED' },
    );
  }

  async #pipeline({ baton, requests }: PipelineRequest) {
    const stream = baton == null ? newStream() : this.#streams.get(baton);
    if (stream === undefined) return undefined;
    if (baton != null) this.#streams.delete(baton);
    clearTimeout(stream.expiry);
    if (stream.release === undefined) await this.#takeTurn(stream);
    const results = requests.map((request) => this.#execute(request, stream));
    const isClosed = requests.some(({ type }) => type === 'close');
    if (isClosed) this.#database.rollback();
    if (!this.#database.inTransaction) {
      stream.release?.();
      stream.release = undefined;
    }
    return { baton: isClosed ? null : this.#keep(stream), base_url: null, results };
  }

  #keep(stream: Stream): string {
    const baton = randomUUID();
    this.#streams.set(baton, stream);
    stream.expiry = setTimeout(() => {
      this.#streams.delete(baton);
      if (stream.release === undefined) return;
      this.#database.rollback();
      stream.release();
    }, this.#options.transactionMs ?? 5_000);
    return baton;
  }

  async #takeTurn(stream: Stream): Promise<void> {
    const turn = this.#turn;
    this.#turn = new Promise((resolve) => {
      stream.release = resolve;
    });
    await turn;
  }

  #execute(request: HranaRequest, { sqls }: Stream) {
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

function newStream(): Stream {
  return { sqls: new Map(), release: undefined, expiry: undefined };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
