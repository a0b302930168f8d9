import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';

/** How often a draining server looks for connections that fell idle. */
const SWEEP_MS = 20;

export interface Address {
  readonly PORT: number;
  readonly HOST: string;
}

export interface ServerOptions {
  readonly hostname: string;
}

/** An HTTP server that answers by `fetch`. It does not listen yet. */
export function createHttpServer(
  fetch: (request: Request) => Response | Promise<Response>,
  { hostname }: ServerOptions,
): Server {
  return createServer(getRequestListener(fetch, { hostname }));
}

export function listen(server: Server, { PORT, HOST }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(PORT, HOST, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Stops accepting; resolves when the last connection is gone. Idle ones are closed as they fall idle. */
export function closeServer(server: Server): Promise<void> {
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  return new Promise((resolve) => {
    server.close(() => {
      clearInterval(sweep);
      resolve();
    });
  });
}

export function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
