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

/** How often a closing server looks for connections that fell idle. */
const SWEEP_MS = 20;
/** Node's own limits for a request's head, and for a whole request. */
const HEADERS_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 300_000;

export interface Address {
  readonly PORT: number;
  readonly HOST: string;
}

export interface ServerOptions {
  readonly hostname: string;
  /** How long an idle connection is kept; proxies must close theirs earlier. */
  readonly keepAliveMs: number;
  /** Once aborted, each answer is its connection's last. */
  readonly draining: AbortSignal;
}

/** An HTTP server that answers by `fetch`. It does not listen yet. */
export function createHttpServer(
  fetch: (request: Request) => Response | Promise<Response>,
  { hostname, keepAliveMs, draining }: ServerOptions,
): Server {
  const answer = getRequestListener(fetch, { hostname });
  /** Requests whose sender holds its body back until it is asked for it. */
  const bodiesHeldBack = new WeakSet<IncomingMessage>();

  class Answer extends ServerResponse {
    override writeHead(
      status: number,
      ...rest: (string | OutgoingHttpHeaders | OutgoingHttpHeader[] | undefined)[]
    ): this {
      // Where no body was asked for, what comes next on the connection may be that body or another request.
      if (draining.aborted || bodiesHeldBack.has(this.req)) this.shouldKeepAlive = false;
      return (super.writeHead as (...args: unknown[]) => this)(status, ...rest);
    }
  }

  const server = createServer({ ServerResponse: Answer }, answer);
  server.on('checkContinue', (incoming, outgoing) => {
    if (hasBody(incoming)) {
      bodiesHeldBack.add(incoming);
      onFirstRead(incoming, () => {
        // Nor once there is an answer: then what is left of the body is only thrown away.
        if (outgoing.headersSent || outgoing.writableEnded) return;
        bodiesHeldBack.delete(incoming);
        outgoing.writeContinue();
      });
    }
    void answer(incoming, outgoing);
  });
  server.keepAliveTimeout = keepAliveMs;
  // A connection that was opened ahead, too, may wait for its first request that long.
  server.headersTimeout = Math.max(HEADERS_TIMEOUT_MS, keepAliveMs + 1000);
  server.requestTimeout = Math.max(REQUEST_TIMEOUT_MS, server.headersTimeout);
  return server;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Calls back when the body is asked for first: `_read` is what a stream's reader causes. */
function onFirstRead(incoming: IncomingMessage, callback: () => void): void {
  incoming._read = (size) => {
    incoming._read = IncomingMessage.prototype._read;
    callback();
    incoming._read(size);
  };
}

/** Rejects as {@link listen} would, and leaves nothing behind. */
export async function checkAddress({ PORT, HOST }: Address): Promise<void> {
  if (PORT === 0) return;
  const probe = createNetServer((socket) => socket.destroy());
  await listen(probe, { PORT, HOST });
  await new Promise<void>((resolve) => probe.close(() => resolve()));
}

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
 * Stops accepting; resolves when the last connection is gone. Idle ones stay
 * open for `lingerMs`, since a request may be on its way on one; then they are
 * closed as they fall idle.
 */
export function closeServer(server: Server, { lingerMs }: { lingerMs: number }): Promise<void> {
  let sweep: NodeJS.Timeout | undefined;
  const linger = setTimeout(() => {
    sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  }, lingerMs);
  return new Promise((resolve) => {
    // That of the HTTP server closes the idle ones at once.
    NetServer.prototype.close.call(server, () => {
      clearTimeout(linger);
      clearInterval(sweep);
      resolve();
    });
  });
}

export function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
