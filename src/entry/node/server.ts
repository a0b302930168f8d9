import {
  createServer,
  IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  type Server,
  ServerResponse,
} from 'node:http';
import { type AddressInfo, createServer as createNetServer, Server as NetServer } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { UnreadRequests } from './unread-requests.ts';

/** How often a closing server looks for connections that have become idle. */
const SWEEP_MS = 20;
/** Node's default timeouts for a request's head and for a whole request. */
const HEADERS_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 300_000;

export interface Address {
  readonly PORT: number;
  readonly HOST: string;
}

export interface ServerOptions {
  readonly hostname: string;
  /** How long an idle connection is kept. A proxy must close its connections earlier. */
  readonly keepAliveMs: number;
  /** When aborted, each connection closes after its current answer. */
  readonly draining: AbortSignal;
}

/** Creates an HTTP server that answers with `fetch`. It does not listen yet. */
export function createHttpServer(
  fetch: (request: Request) => Response | Promise<Response>,
  { hostname, keepAliveMs, draining }: ServerOptions,
): Server {
  const answer = getRequestListener(fetch, { hostname });
  /** Requests with `Expect: 100-continue` whose client has not been asked for the body. */
  const bodiesHeldBack = new WeakSet<IncomingMessage>();

  class Answer extends ServerResponse {
    override writeHead(
      status: number,
      ...rest: (string | OutgoingHttpHeaders | OutgoingHttpHeader[] | undefined)[]
    ): this {
      // If the body was not asked for, the next bytes on the connection could be that body or a new request.
      unread.noteAnswer(this);
      if (draining.aborted || bodiesHeldBack.has(this.req)) this.shouldKeepAlive = false;
      return (super.writeHead as (...args: unknown[]) => this)(status, ...rest);
    }
  }

  const server = createServer({ ServerResponse: Answer }, answer);
  const unread = new UnreadRequests(server);
  server.on('checkContinue', (incoming, outgoing) => {
    if (hasBody(incoming)) {
      bodiesHeldBack.add(incoming);
      onFirstRead(incoming, () => {
        // After the answer, the rest of the body would only be thrown away.
        if (outgoing.headersSent || outgoing.writableEnded) return;
        bodiesHeldBack.delete(incoming);
        outgoing.writeContinue();
      });
    }
    void answer(incoming, outgoing);
  });
  server.keepAliveTimeout = keepAliveMs;
  // A connection that was opened in advance may also wait this long for its first request.
  server.headersTimeout = Math.max(HEADERS_TIMEOUT_MS, keepAliveMs + 1000);
  server.requestTimeout = Math.max(REQUEST_TIMEOUT_MS, server.headersTimeout);
  return server;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Calls back at the first read of the body: a stream's reader causes `_read`. */
function onFirstRead(incoming: IncomingMessage, callback: () => void): void {
  incoming._read = (size) => {
    incoming._read = IncomingMessage.prototype._read;
    callback();
    incoming._read(size);
  };
}

/** Checks that the address is free. Rejects with the error that {@link listen} would give, and keeps nothing open. */
export async function checkAddress({ PORT, HOST }: Address): Promise<void> {
  if (PORT === 0) return;
  const probe = createNetServer((socket) => socket.destroy());
  await listen(probe, { PORT, HOST });
  await new Promise<void>((resolve) => probe.close(() => resolve()));
}

/** Resolves when the server listens. Rejects if it cannot. */
export function listen(server: NetServer, { PORT, HOST }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(PORT, HOST, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/**
 * Stops accepting connections and resolves when the last one has closed. Idle connections stay open for
 * `lingerMs`, because a request may be on its way. After that they are closed as soon as they are idle.
 */
export function closeServer(server: Server, { lingerMs }: { lingerMs: number }): Promise<void> {
  let sweep: NodeJS.Timeout | undefined;
  const linger = setTimeout(() => {
    sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  }, lingerMs);
  return new Promise((resolve) => {
    // The `close` of the HTTP server would close idle connections at once.
    NetServer.prototype.close.call(server, () => {
      clearTimeout(linger);
      clearInterval(sweep);
      resolve();
    });
  });
}

/** The URL at which the server listens. */
export function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
