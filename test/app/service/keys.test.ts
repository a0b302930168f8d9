import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../temporary.ts';
import { API, slowServer, spawnIn, startService } from './started-service.ts';

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
