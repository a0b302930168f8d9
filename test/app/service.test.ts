import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'libsql';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../support/net/listening.ts';
import { eventually, type SpawnedService, spawnService } from '../support/spawn-service.ts';
import { temporaryFolder } from './temporary.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Service extends SpawnedService {
  readonly url: string;
}

function spawnIn(folder: string, env: Record<string, string> = {}): SpawnedService {
  mkdirSync(join(folder, 'data'), { recursive: true });
  return spawnService({
    TURSO_DATABASE_URL: pathToFileURL(`${folder}/db/durably.db`).href,
    DURABLY_DATA_DIR: join(folder, 'data'),
    ...env,
  });
}

async function startService(env: Record<string, string> = {}, folder?: string): Promise<Service> {
  const service = spawnIn(folder ?? (await temporaryFolder()), env);
  return { ...service, url: await service.listening() };
}

const API = '/api/durably';

/** A web server whose answers wait until they are released, so that a job that fetches from it keeps running. */
async function slowServer() {
  const waiting: (() => void)[] = [];
  const { server, url } = await listen((_, response) => {
    waiting.push(() => response.end('slow'));
    server.emit('asked');
  });
  return {
    url: `${url}/`,
    asked: () => (waiting.length > 0 ? Promise.resolve() : once(server, 'asked').then(() => {})),
    release: () => {
      for (const answer of waiting.splice(0)) answer();
    },
  };
}

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

  it('answers a large body with 413 over a socket', async () => {
    const service = await startService({ DURABLY_MAX_BODY_BYTES: '1000' });
    const big = 'x'.repeat(200_000);
    const declared = await fetch(`${service.url}${API}/trigger`, { method: 'POST', body: big });
    expect(declared.status).toBe(413);
    expect(declared.headers.get('content-type')).toBe('application/problem+json');
    const chunked = await fetch(`${service.url}${API}/trigger`, {
      method: 'POST',
      body: new Blob([big]).stream(),
      duplex: 'half',
    } as RequestInit);
    expect(chunked.status).toBe(413);
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
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

describe('the service with keys', () => {
  const KEY = 'key-of-the-dashboard';
  const headers = { authorization: `Bearer ${KEY}` };
  const keys = { DURABLY_API_KEYS: `dashboard:${KEY},ci:another-key-of-ours` };

  it('listens anywhere, accepts keys, streams with tickets, and logs neither', async () => {
    const target = await slowServer();
    const service = await startService({
      ...keys,
      HOST: '0.0.0.0',
      DURABLY_RATE_LIMIT: '1000',
      DURABLY_FETCH_ORIGINS: new URL(target.url).origin,
    });
    const url = service.url.replace('0.0.0.0', '127.0.0.1');
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    for (const path of ['/readyz', '/openapi.json', `${API}/runs`, `${API}/trigger`, '/nothing']) {
      expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 401]);
    }
    expect((await fetch(`${url}/readyz`, { headers })).status).toBe(200);

    const body = JSON.stringify({ jobName: 'fetch-url', input: { url: target.url, timeoutMs: 60_000 } });
    expect((await fetch(`${url}${API}/trigger`, { method: 'POST', body })).status).toBe(401);
    const triggered = await fetch(`${url}${API}/trigger`, { method: 'POST', body, headers });
    expect(triggered.status).toBe(200);
    const { runId } = await triggered.json();
    const given = await fetch(`${url}${API}/stream-ticket?runId=${runId}`, { method: 'POST', headers });
    const { ticket } = await given.json();
    const stream = await fetch(`${url}${API}/subscribe?runId=${runId}&ticket=${ticket}`);
    expect(stream.status).toBe(200);
    expect((await fetch(`${url}${API}/run?runId=${runId}&ticket=${ticket}`)).status).toBe(401);
    await target.asked();
    target.release();
    expect(await stream.text()).toContain('"type":"run:complete"');

    service.process.kill('SIGTERM');
    expect((await service.exit).code).toBe(0);
    const { stdout, stderr } = service.output;
    expect(stderr).toBe('');
    for (const secret of [KEY, 'another-key', ticket]) expect(stdout).not.toContain(secret);
  });

  it('ignores the Host header, and accepts browsers by the list of origins', async () => {
    const { url } = await startService({ ...keys, DURABLY_CORS_ORIGINS: 'https://dash.example' });
    const ask = async (origin: string) => {
      const response = await fetch(`${url}${API}/runs`, { headers: { ...headers, origin } });
      return [response.status, response.headers.get('access-control-allow-origin')];
    };
    expect(await ask('https://dash.example')).toEqual([200, 'https://dash.example']);
    expect(await ask('https://evil.example')).toEqual([200, null]);
    const preflight = await fetch(`${url}${API}/runs`, {
      method: 'OPTIONS',
      headers: { origin: 'https://dash.example', 'access-control-request-method': 'GET' },
    });
    expect(preflight.status).toBe(204);
  });
});

describe('the service without keys', () => {
  it.each(['0.0.0.0', '::'])('does not start on %s: one line names what is missing', async (HOST) => {
    const service = spawnIn(await temporaryFolder(), { HOST });
    expect(await service.exit).toEqual({ code: 1, signal: null });
    expect(service.output.stderr).toMatch(
      /^durably: cannot start: HOST .*DURABLY_API_KEYS.*DURABLY_INSECURE.*\n$/,
    );
    expect(service.output.stdout).toBe('');
  });

  it('does not start with bad keys either, and quotes none', async () => {
    const service = spawnIn(await temporaryFolder(), { DURABLY_API_KEYS: 'dashboard:too-short' });
    expect(await service.exit).toEqual({ code: 1, signal: null });
    expect(service.output.stderr).toMatch(/^durably: cannot start: DURABLY_API_KEYS .*\n$/);
    expect(service.output.stderr).not.toContain('too-short');
  });

  it('accepts any host with DURABLY_INSECURE=1, logs it, and still refuses foreign pages', async () => {
    const service = await startService({ HOST: '0.0.0.0', DURABLY_INSECURE: '1' });
    const port = Number(new URL(service.url).port);
    const statusFor = async (headers: Record<string, string>) => {
      const sent = httpRequest({ host: '127.0.0.1', port, path: `${API}/runs`, headers });
      const answered = once(sent, 'response');
      sent.end();
      const [response] = await answered;
      response.resume();
      return response.statusCode;
    };
    expect(await statusFor({ host: 'jobs.internal' })).toBe(200);
    expect(await statusFor({ host: 'jobs.internal', origin: 'http://jobs.internal' })).toBe(200);
    expect(await statusFor({ host: 'jobs.internal', origin: 'http://evil.example' })).toBe(403);
    expect(service.output.stdout).toContain('DURABLY_INSECURE=1');
  });
});

describe('the log of the service', () => {
  const KEY = 'a-key-that-no-log-may-show';

  it('has one line for a failed run without its input or a key, and stores no stack if configured so', async () => {
    const service = await startService({
      DURABLY_API_KEYS: `ci:${KEY}`,
      DURABLY_ERROR_DETAIL: 'message',
    });
    const ask = async (path: string, init: RequestInit = {}) => {
      const headers = { authorization: `Bearer ${KEY}` };
      return (await fetch(`${service.url}${API}${path}`, { ...init, headers })).json();
    };
    const input = { file: 'no-such-file.csv' };
    const body = JSON.stringify({ jobName: 'import-csv', input, idempotencyKey: 'a-hidden-key' });
    const { runId } = await ask('/trigger', { method: 'POST', body });
    await eventually(() => expect(service.output.stderr).toContain('\n'));
    const run = await ask(`/run?runId=${runId}`);
    expect(run).toMatchObject({ status: 'failed', errorDetail: { message: expect.any(String) } });
    expect(JSON.stringify(run.errorDetail)).not.toContain('stack');
    const { stdout, stderr } = service.output;
    expect(stderr).toMatch(
      /^durably: run failed runId=run_\w+ jobName="import-csv" attempt=1 .*error=".+"\n$/,
    );
    expect(stderr).toContain(runId);
    for (const secret of [KEY, 'a-hidden-key', 'authorization'])
      expect(stdout + stderr).not.toContain(secret);
  });
});
