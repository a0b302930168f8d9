import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createHttpServer } from '../../src/entry/node/server.ts';
import { temporaryFolder } from '../app/temporary.ts';
import { buildService } from '../support/built/service.ts';
import { eventually, spawnService } from '../support/processes/spawn-service.ts';

async function spawnOnFile({ env = {}, script }: { env?: Record<string, string>; script?: string } = {}) {
  return spawnService(
    { TURSO_DATABASE_URL: `file:${await temporaryFolder()}/d.db`, ...env },
    script === undefined ? {} : { script },
  );
}

/** A web server that never answers, so that a job that fetches from it keeps running. */
async function silentServer() {
  const server = createServer(() => server.emit('asked'));
  await listenAnywhere(server);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked: once(server, 'asked') };
}

async function listenAnywhere(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function holdARun(url: string) {
  const { url: target, asked } = await silentServer();
  const answer = await fetch(`${url}/api/durably/trigger`, {
    method: 'POST',
    body: JSON.stringify({ jobName: 'fetch-url', input: { url: target, timeoutMs: 60_000 } }),
  });
  expect(answer.status).toBe(200);
  await asked;
}

it('logs what it waits for, refuses /tick, and hands back on the second signal', async () => {
  const service = await spawnOnFile({ env: { DURABLY_SHUTDOWN_MS: '60000' } });
  const url = await service.listening();
  await holdARun(url);
  service.process.kill('SIGINT');
  await eventually(() =>
    expect(service.output.stdout).toMatch(
      /SIGINT: draining: waiting for 1 run for up to 57 s; a second signal/,
    ),
  );
  const tick = await fetch(`${url}/api/durably/tick`, { method: 'POST' });
  expect(tick.status).toBe(503);
  expect(tick.headers.get('connection')).toBe('close');
  service.process.kill('SIGINT');
  expect(await service.exit).toEqual({ code: 130, signal: null });
  expect(service.output.stdout).toContain('handing back 1 run');
  expect(service.output.stderr).toBe('');
});

it('warns about a database in memory, a missing data folder and a missing SDK for traces, and starts', async () => {
  const env = { TURSO_DATABASE_URL: ':memory:', DURABLY_DATA_DIR: '/nope/x', DURABLY_TRACING: 'on' };
  const service = await spawnOnFile({ env });
  await service.listening();
  expect(service.output.stderr).toMatch(
    /^\{"level":"warn",.*"msg":"TURSO_DATABASE_URL=:memory: keeps nothing: .*\}\n\{"level":"warn",.*"msg":"DURABLY_DATA_DIR=\/nope\/x: .*\}\n\{"level":"warn",.*"msg":"DURABLY_TRACING=on: no OpenTelemetry SDK .*\}\n$/,
  );
});

it('retries a database server that is still starting', async () => {
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    if (asked === 1) request.socket.destroy();
    else response.writeHead(401).end();
  });
  const port = await listenAnywhere(server);
  const service = await spawnOnFile({ env: { TURSO_DATABASE_URL: `http://127.0.0.1:${port}` } });
  expect(await service.exit).toEqual({ code: 1, signal: null });
  expect(service.output.stderr).toContain('set TURSO_AUTH_TOKEN');
});

it.each(['1', '300'])('hands back in time with DURABLY_SHUTDOWN_MS=%s', async (DURABLY_SHUTDOWN_MS) => {
  const service = await spawnOnFile({ env: { DURABLY_SHUTDOWN_MS } });
  await holdARun(await service.listening());
  service.process.kill('SIGTERM');
  expect(await service.exit).toEqual({ code: 0, signal: null });
  expect(service.output.stderr).toBe('');
});

it('drains on SIGHUP, even if nobody reads its output any more', async () => {
  const service = await spawnOnFile();
  await service.listening();
  service.process.stdout?.destroy();
  service.process.stderr?.destroy();
  service.process.kill('SIGHUP');
  expect(await service.exit).toEqual({ code: 0, signal: null });
});

it('hands back on the first signal under a watcher', async () => {
  const service = await spawnOnFile({ script: buildService().dev });
  await holdARun(await service.listening());
  service.process.kill('SIGTERM');
  service.process.kill('SIGINT');
  expect(await service.exit).toEqual({ code: 0, signal: null });
  expect(service.output.stdout).toContain('handing back 1 run at once');
});

async function serve(options: { keepAliveMs?: number; status?: number; readsBody: boolean }) {
  const draining = new AbortController();
  const server = createHttpServer(
    async (request) => {
      const text = options.readsBody ? await request.text() : '';
      return new Response(`got ${text}`, { status: options.status ?? 200 });
    },
    { hostname: '127.0.0.1', keepAliveMs: options.keepAliveMs ?? 75_000, draining: draining.signal },
  );
  return { server, draining, port: await listenAnywhere(server) };
}

function open(port: number) {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const received = { text: '', ended: once(socket, 'end') };
  socket.setEncoding('utf8').on('data', (text) => {
    received.text += text;
  });
  return { socket, received };
}

const EXPECTING = 'POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n';

it('sends 100 Continue when the body is read', async () => {
  const { port } = await serve({ readsBody: true });
  const { socket, received } = open(port);
  socket.write(EXPECTING);
  await eventually(() => expect(received.text).toBe('HTTP/1.1 100 Continue\r\n\r\n'));
  socket.write('hi');
  await eventually(() => expect(received.text).toContain('got hi'));
  expect(received.text).toContain('Connection: keep-alive');
});

it('refuses without 100 Continue, and closes the connection whose client waited for it', async () => {
  const { port } = await serve({ readsBody: false, status: 401 });
  const { socket, received } = open(port);
  socket.write(EXPECTING);
  await received.ended;
  expect(received.text).toMatch(/^HTTP\/1.1 401 /);
  expect(received.text).toContain('Connection: close');
  expect(received.text).not.toContain('100 Continue');
});

it('keeps idle connections for the configured time, and allows longer for heads and requests', async () => {
  const { server } = await serve({ readsBody: true });
  expect(server.keepAliveTimeout).toBe(75_000);
  expect(server.headersTimeout).toBeGreaterThan(server.keepAliveTimeout);
  expect(server.requestTimeout).toBeGreaterThanOrEqual(server.headersTimeout);
  const { port } = await serve({ readsBody: true, keepAliveMs: 50 });
  const { socket, received } = open(port);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await received.ended;
  expect(received.text).toContain('Connection: keep-alive');
});

it.each([
  [
    'an address that is too long',
    `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    431,
    'HEAD_TOO_LARGE',
  ],
  ['an unknown method', 'FETCH / HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'VALIDATION'],
  ['a bad length', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n', 400, 'VALIDATION'],
])('answers %s with a problem and closes the connection', async (_, request, status, code) => {
  const { port } = await serve({ readsBody: true });
  const { socket, received } = open(port);
  socket.write(request);
  await received.ended;
  const [head = '', body = ''] = received.text.split('\r\n\r\n');
  expect(head).toContain(`HTTP/1.1 ${status} `);
  expect(head).toContain('Content-Type: application/problem+json');
  expect(head).toContain('Connection: close');
  expect(head).toContain(`Content-Length: ${body.length}`);
  expect(JSON.parse(body)).toMatchObject({ status, code });
});

it('writes nothing into an answer that is under way', async () => {
  const begun = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('begun')),
  });
  const server = createHttpServer(() => new Response(begun), {
    hostname: '127.0.0.1',
    keepAliveMs: 75_000,
    draining: new AbortController().signal,
  });
  const { socket, received } = open(await listenAnywhere(server));
  const closed = once(socket, 'close');
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually(() => expect(received.text).toContain('begun'));
  socket.write('no HTTP\r\n\r\n');
  await closed;
  expect(received.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
});

it('closes each connection after its answer while it drains', async () => {
  const { port, draining } = await serve({ readsBody: true });
  const { socket, received } = open(port);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually(() => expect(received.text).toContain('keep-alive'));
  draining.abort();
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await received.ended;
  expect(received.text).toContain('Connection: close');
});
