import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'libsql';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../support/processes/spawn-service.ts';
import { temporaryFolder } from '../temporary.ts';
import { API, type Service, slowServer, spawnIn, startService } from './started-service.ts';

const ROOT = join(import.meta.dirname, '../../..');

async function triggerFetch({ url }: Service, target: string): Promise<string> {
  const response = await fetch(`${url}${API}/trigger`, {
    method: 'POST',
    body: JSON.stringify({ jobName: 'fetch-url', input: { url: target, timeoutMs: 60_000 } }),
  });
  const body = await response.json();
  expect(response.status, JSON.stringify(body)).toBe(200);
  return body.runId;
}

async function readRun({ url }: Service, runId: string) {
  return (await fetch(`${url}${API}/run?runId=${runId}`)).json();
}

describe('the service', () => {
  it('listens on a free port, runs a job to its end, and drains on SIGTERM', async () => {
    const service = await startService();
    const target = await slowServer();
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
    expect(new URL(service.url)).toMatchObject({ hostname: '127.0.0.1', protocol: 'http:' });

    const runId = await triggerFetch(service, target.url);
    const stream = await fetch(`${service.url}${API}/subscribe?runId=${runId}`);
    await target.asked();
    target.release();
    expect(await stream.text()).toContain('"type":"run:complete"');
    expect(await readRun(service, runId)).toMatchObject({ status: 'completed', output: { status: 200 } });

    service.process.kill('SIGTERM');
    expect(await service.exit).toEqual({ code: 0, signal: null });
    expect(service.output.stderr).toBe('');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'finishes the running run on %s, and streams show its end',
    async (signal) => {
      const service = await startService();
      const target = await slowServer();
      const runId = await triggerFetch(service, target.url);
      const stream = await fetch(`${service.url}${API}/subscribe?runId=${runId}`);
      const idle = await fetch(`${service.url}${API}/runs/subscribe`);
      await target.asked();
      service.process.kill(signal);
      await eventually(() => expect(service.output.stdout).toContain('draining'));
      expect((await fetch(`${service.url}/readyz`)).status).toBe(503);
      target.release();
      expect(await stream.text()).toContain('"type":"run:complete"');
      expect(await idle.text()).toContain('"type":"run:complete"');
      expect(await service.exit).toEqual({ code: 0, signal: null });
    },
  );

  it('hands back a run that does not finish in time, and the next service continues it at once', async () => {
    const folder = await temporaryFolder();
    const first = await startService({ DURABLY_SHUTDOWN_MS: '2000' }, folder);
    const target = await slowServer();
    const runId = await triggerFetch(first, target.url);
    const idle = await fetch(`${first.url}${API}/runs/subscribe`);
    await target.asked();
    first.process.kill('SIGTERM');
    // If it ran out of time it would exit with 1.
    expect(await first.exit).toEqual({ code: 0, signal: null });
    await idle.text();

    const second = await startService({}, folder);
    const stream = await fetch(`${second.url}${API}/subscribe?runId=${runId}`);
    target.release();
    await eventually(async () => {
      target.release();
      expect(await readRun(second, runId)).toMatchObject({ status: 'completed', attempt: 1 });
    });
    expect(await stream.text()).toContain('"type":"run:complete"');
  });

  it('does not claim runs if its port is taken', async () => {
    const folder = await temporaryFolder();
    const target = await slowServer();
    const first = await startService({ DURABLY_SHUTDOWN_MS: '400' }, folder);
    const runId = await triggerFetch(first, target.url);
    await target.asked();
    first.process.kill('SIGTERM');
    expect((await first.exit).code).toBe(0);
    // The run is handed back, so a worker would take it at once.
    const other = await startService();
    const refused = spawnIn(folder, { PORT: new URL(other.url).port });
    expect((await refused.exit).code).toBe(1);
    expect(refused.output.stderr).toContain('EADDRINUSE');
    const database = new Database(join(folder, 'db/durably.db'));
    onTestFinished(() => void database.close());
    expect(database.prepare('select id, status, attempt from durably_runs').all()).toEqual([
      { id: runId, status: 'pending', attempt: 1 },
    ]);
  });

  it('exits at once on a second signal', async () => {
    const service = await startService();
    const target = await slowServer();
    await triggerFetch(service, target.url);
    await target.asked();
    service.process.kill('SIGTERM');
    await eventually(() => expect(service.output.stdout).toContain('draining'));
    service.process.kill('SIGINT');
    expect(await service.exit).toEqual({ code: 130, signal: null });
  });

  it('answers a trigger that was in progress when the signal arrived', async () => {
    const service = await startService();
    const body = JSON.stringify({ jobName: 'fetch-url', input: { url: service.url } });
    const sent = httpRequest(`${service.url}${API}/trigger`, {
      method: 'POST',
      headers: { 'content-length': body.length },
    });
    const answered = once(sent, 'response');
    sent.write(body.slice(0, 10));
    // When the service answers another request on a later connection, it has received this head.
    await fetch(`${service.url}/healthz`);
    service.process.kill('SIGTERM');
    await eventually(() => expect(service.output.stdout).toContain('draining'));
    sent.end(body.slice(10));
    const [response] = await answered;
    expect(response.statusCode).toBe(200);
    response.resume();
    expect(await service.exit).toEqual({ code: 0, signal: null });
  });

  it.each([
    ['declared', (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`],
    [
      'chunked',
      (body: string) =>
        `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ],
  ])('reads the rest of a body that is too large, %s, so that the 413 arrives', async (_, framed) => {
    const service = await startService({ DURABLY_MAX_BODY_BYTES: '1000' });
    const { port, host } = new URL(service.url);
    const socket = connect(Number(port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write(`POST ${API}/trigger HTTP/1.1\r\nHost: ${host}\r\n${framed('x'.repeat(200_000))}`);
    socket.write(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    let text = '';
    for await (const chunk of socket) text += chunk;
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
    expect(text).toContain('application/problem+json');
  });

  it('refuses foreign hosts and origins over a socket', async () => {
    const { url } = await startService();
    const { port } = new URL(url);
    const raw = async (head: string) => {
      const socket = connect(Number(port), '127.0.0.1');
      onTestFinished(() => {
        socket.destroy();
      });
      socket.write(`${head}\r\nConnection: close\r\n\r\n`);
      let text = '';
      for await (const chunk of socket) text += chunk;
      return text.split('\r\n')[0];
    };
    expect(await raw('GET /healthz HTTP/1.1\r\nHost: evil.example')).toContain('403');
    expect(await raw(`GET ${API}/runs HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example`)).toContain(
      '403',
    );
    expect(await raw(`GET http://evil.example${API}/runs HTTP/1.1\r\nHost: localhost`)).toContain('403');
    expect(await raw(`GET ${API}/runs HTTP/1.1\r\nHost: localhost`)).toContain('200');
    expect(await raw(`GET ${API}/runs HTTP/1.0`)).toContain('200');
  });

  it.each([
    [{ PORT: 'http' }, 'PORT must be a whole number from 0 to 65535, got "http"'],
    [{ DURABLY_CONCURRENCY: '0' }, 'DURABLY_CONCURRENCY must be'],
    [{ HOST: '192.0.2.1', DURABLY_INSECURE: '1' }, 'EADDRNOTAVAIL'],
    [{ TURSO_DATABASE_URL: pathToFileURL(`${ROOT}/package.json`).href }, 'Cannot open the database'],
  ])('does not start with %j, and says why in one line', async (env, message) => {
    const service = spawnIn(await temporaryFolder(), env);
    expect(await service.exit).toEqual({ code: 1, signal: null });
    expect(service.output.stderr).toContain(message);
    expect(service.output.stderr.trim().split('\n')).toHaveLength(1);
    expect(service.output.stdout).not.toContain('listening');
  });

  it('does not start on a taken port', async () => {
    const service = await startService();
    const second = spawnIn(await temporaryFolder(), { PORT: new URL(service.url).port });
    expect(await second.exit).toEqual({ code: 1, signal: null });
    expect(second.output.stderr).toMatch(/^durably: cannot start: .*EADDRINUSE.*\n$/);
  });

  it('does not change a file that is not its own', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'notes.txt'), 'just notes\n'.repeat(100));
    const service = spawnIn(folder, { TURSO_DATABASE_URL: pathToFileURL(`${folder}/notes.txt`).href });
    expect(await service.exit).toEqual({ code: 1, signal: null });
    expect(service.output.stderr).toMatch(
      /^durably: cannot start: Cannot open the database file:\S+notes\.txt: .*\n$/,
    );
  });
});
