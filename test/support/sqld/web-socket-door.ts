import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Behaviour } from './behaviour.ts';
import type { Executor } from './executor.ts';
import { isExecuted } from './faults.ts';
import type { HranaRequest, SocketMessage } from './protocol.ts';
import { newStream, type Stream } from './stream.ts';
import type { WriteQueue } from './write-queue.ts';

interface DoorParts {
  readonly behaviour: Behaviour;
  readonly executor: Executor;
  readonly queue: WriteQueue;
  readonly authToken: string | undefined;
}

/** Hrana 2 over WebSockets (JSON): `docs/HRANA_2_SPEC.md` of the libSQL repository. */
export class WebSocketDoor {
  readonly #parts: DoorParts;
  readonly #server = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => offered.has('hrana2') && 'hrana2',
  });
  readonly #connections = new Set<Connection>();

  constructor(parts: DoorParts) {
    this.#parts = parts;
  }

  open(
    request: IncomingMessage,
    { socket, head, client }: { readonly socket: Duplex; readonly head: Buffer; readonly client: string },
  ): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = new Connection(webSocket, { ...this.#parts, client });
      this.#connections.add(connection);
      webSocket.on('close', () => void this.#connections.delete(connection));
    });
  }

  close(): void {
    for (const connection of this.#connections) connection.terminate();
    this.#server.close();
  }
}

/** A stream with what it was last asked for: it does one thing after another. */
interface OpenStream {
  readonly stream: Stream;
  last: Promise<void>;
}

class Connection {
  readonly #socket: WebSocket;
  readonly #parts: DoorParts & { readonly client: string };
  readonly #sqls = new Map<number, string>();
  readonly #streams = new Map<number, OpenStream>();
  /** The streams that have written. */
  readonly #writers = new WeakSet<Stream>();
  #isGreeted = false;
  #isTerminated = false;

  constructor(socket: WebSocket, parts: DoorParts & { readonly client: string }) {
    this.#socket = socket;
    this.#parts = parts;
    socket.on('message', (data) => this.#receive(JSON.parse(String(data)) as SocketMessage));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const { stream } of this.#streams.values()) this.#parts.executor.endTransaction(stream);
    });
  }

  /** Closes the connection without a word. */
  terminate(): void {
    this.#isTerminated = true;
    this.#socket.terminate();
  }

  #receive(message: SocketMessage): void {
    if (message.type === 'hello') return this.#greet(message.jwt);
    if (!this.#isGreeted) return this.terminate();
    const { request_id: id, request } = message;
    switch (request.type) {
      case 'open_stream':
        this.#streams.set(request.stream_id, { stream: newStream(), last: Promise.resolve() });
        return this.#answer(id, { type: 'ok', response: { type: request.type } });
      case 'close_stream':
        return this.#inTurn(request.stream_id, async ({ stream }) => {
          this.#parts.executor.endTransaction(stream);
          this.#streams.delete(request.stream_id);
          this.#answer(id, { type: 'ok', response: { type: request.type } });
        });
      case 'store_sql':
        this.#sqls.set(request.sql_id, request.sql);
        return this.#answer(id, { type: 'ok', response: { type: request.type } });
      case 'close_sql':
        this.#sqls.delete(request.sql_id);
        return this.#answer(id, { type: 'ok', response: { type: request.type } });
      default: {
        // A text may be closed again before its statement is executed.
        const sqls = new Map(this.#sqls);
        return this.#inTurn(request.stream_id, ({ stream }) => this.#serve({ id, request, stream, sqls }));
      }
    }
  }

  #greet(jwt: string | null | undefined): void {
    const { authToken } = this.#parts;
    this.#isGreeted = authToken === undefined || jwt === authToken;
    if (this.#isGreeted) return this.#send({ type: 'hello_ok' });
    const error = { message: 'Authentication failed: The JWT is invalid', code: 'AUTH_JWT_INVALID' };
    this.#send({ type: 'hello_error', error });
  }

  #inTurn(streamId: number, work: (open: OpenStream) => Promise<void>): void {
    const open = this.#streams.get(streamId);
    if (open === undefined) return this.terminate();
    open.last = open.last.then(() => work(open)).catch(() => this.terminate());
  }

  async #serve({ id, request, stream, sqls }: StreamRequest): Promise<void> {
    const { behaviour, executor, queue, client } = this.#parts;
    for (const [key, sql] of sqls) stream.sqls.set(key, sql);
    const fault = behaviour.noteArrival();
    const nature = executor.natureOf([request], stream);
    if (nature !== 'reads' && !this.#writers.has(stream)) {
      this.#writers.add(stream);
      queue.writeStreams++;
    }
    const leave = queue.enter(client, nature);
    const noteClosed = () => leave(this.#isTerminated ? 'cut by the server' : 'cut by the client');
    this.#socket.once('close', noteClosed);
    try {
      await behaviour.delay();
      if (this.#isTerminated) return;
      if (fault.kind === 'none') return this.#answer(id, await this.#execute(request, stream));
      if (isExecuted(fault)) await this.#execute(request, stream);
      if (fault.kind === 'error') {
        const error = { message: `SQLite error: ${fault.code}`, code: fault.code };
        return this.#answer(id, { type: 'error', error });
      }
      if (fault.kind !== 'hang') return this.terminate();
      await new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
      behaviour.abandoned++;
    } finally {
      behaviour.underWay--;
      leave('answered');
      this.#socket.off('close', noteClosed);
    }
  }

  async #execute(request: HranaRequest, stream: Stream): Promise<Answer> {
    const [answer] = await this.#parts.executor.execute([request], stream);
    return answer as Answer;
  }

  #answer(requestId: number, answer: Answer): void {
    const { type, ...rest } = answer;
    this.#send({ type: `response_${type}`, request_id: requestId, ...rest });
  }

  #send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }
}

interface StreamRequest {
  readonly id: number;
  readonly request: HranaRequest;
  readonly stream: Stream;
  readonly sqls: ReadonlyMap<number, string>;
}

type Answer =
  | { readonly type: 'ok'; readonly response: object }
  | { readonly type: 'error'; readonly error: { readonly message: string; readonly code: string } };
