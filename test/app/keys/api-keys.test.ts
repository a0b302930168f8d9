import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createApiKeys } from '../../../src/app/api-keys.ts';
import { createDurablyApp } from '../../../src/app/create-app.ts';
import { createDurablyHandler } from '../../../src/http/create-handler.ts';
import { BASE, postJson, requestTo } from '../../http/doors.ts';
import { fakeDurably } from '../../http/fake-durably.ts';
import { apiKeys, bearer, getTicket, KEY, OTHER_KEY, serve, withHeaders } from './keyed-app.ts';

describe('with keys', () => {
  it.each(['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'])(
    'only /healthz answers %s without a key',
    async (method) => {
      const { url } = await serve();
      const paths = [
        '/',
        '/readyz',
        '/openapi.json',
        '/healthz/',
        '//healthz',
        '/HEALTHZ',
        BASE,
        `${BASE}/`,
        `${BASE}/nothing`,
        `${BASE}/trigger`,
        `${BASE}/healthz`,
        `${BASE}/run`,
        '/favicon.ico',
      ];
      for (const path of paths) {
        const response = await fetch(`${url}${path}`, { method });
        expect([path, response.status]).toEqual([path, 401]);
        expect(response.headers.get('content-type')).toBe('application/problem+json');
      }
    },
  );

  it('/healthz needs no key', async () => {
    const { url } = await serve();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/healthz`, { headers: bearer('wrong') })).status).toBe(200);
  });

  it('other paths answer with a key as they do without keys', async () => {
    const { url } = await serve();
    const statusOf = async (path: string, method = 'GET') =>
      (await fetch(`${url}${path}`, { method, headers: bearer() })).status;
    expect(await statusOf('/readyz')).toBe(200);
    expect(await statusOf('/openapi.json')).toBe(200);
    expect(await statusOf(`${BASE}/nothing`)).toBe(404);
    expect(await statusOf('/nothing')).toBe(404);
    expect(await statusOf(`${BASE}/trigger`)).toBe(405);
  });

  it('an app at the root requires a key for every path', async () => {
    const app = createDurablyApp(fakeDurably(), { apiKeys, basePath: '/' });
    expect((await app.request('/runs')).status).toBe(401);
    expect((await app.request('/healthz')).status).toBe(200);
    expect((await app.request('/stream-ticket', { method: 'POST', headers: bearer() })).status).toBe(200);
  });

  it('an app mounted in another requires keys, and accepts tickets for streams', async () => {
    const { Hono } = await import('hono');
    const outer = new Hono().route('/inner', createDurablyApp(fakeDurably(), { apiKeys }));
    expect((await outer.request(`/inner${BASE}/runs`)).status).toBe(401);
    expect((await outer.request('/inner/healthz')).status).toBe(200);
    const response = await outer.request(`/inner${BASE}/runs/subscribe?ticket=${await getTicket()}`);
    expect(response.status).toBe(200);
    await response.body?.cancel();
  });

  it('reads no body before the caller is known', async () => {
    const { port } = await serve();
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    // A million bytes are announced, and none is sent.
    socket.write(
      `POST ${BASE}/trigger HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n`,
    );
    const [head] = await once(socket.setEncoding('utf8'), 'data');
    expect(head).toMatch(/^HTTP\/1\.1 401 /);
  });

  it.each([
    ['no JSON', '{'],
    ['too large', `"${'x'.repeat(2000)}"`],
    ['no envelope', '[]'],
  ])('reports a body that is %s only to callers with a key', async (_, body) => {
    const onRequest = vi.fn();
    const app = createDurablyApp(fakeDurably(), { apiKeys, onRequest, maxBodyBytes: 1000 });
    const init = { method: 'POST', body, headers: { 'content-type': 'application/json' } };
    expect((await app.fetch(requestTo('/trigger', init))).status).toBe(401);
    expect(onRequest).not.toHaveBeenCalled();
    const known = withHeaders(requestTo('/trigger', init), bearer());
    expect([400, 413]).toContain((await app.fetch(known)).status);
    expect(onRequest).toHaveBeenCalledOnce();
  });

  it('also asks the hooks of `auth`', async () => {
    const onTrigger = vi.fn();
    const app = createDurablyApp(fakeDurably(), {
      apiKeys,
      auth: { authenticate: apiKeys.authenticate, onTrigger },
    });
    const request = withHeaders(postJson('/trigger', { jobName: 'greet' }), bearer(OTHER_KEY));
    expect((await app.fetch(request)).status).toBe(200);
    expect(onTrigger).toHaveBeenCalledExactlyOnceWith({ name: 'ci' }, { jobName: 'greet', input: {} });
  });
});

describe('createApiKeys', () => {
  it.each([
    [[]],
    [[{ name: '', key: KEY }]],
    [[{ name: 'a b', key: KEY }]],
    [[{ name: 'a', key: 'secret-15-chars' }]],
    [[{ name: 'a', key: 'secret with a space' }]],
    [[{ name: 'a', key: 'secret,with,commas' }]],
    [[{ name: 'a', key: 'secret-with-ümlaut' }]],
    [[{ name: 'a', key: 's'.repeat(513) }]],
    [
      [
        { name: 'a', key: KEY },
        { name: 'a', key: OTHER_KEY },
      ],
    ],
    [
      [
        { name: 'a', key: KEY },
        { name: 'b', key: KEY },
      ],
    ],
  ])('refuses %j without quoting the key', async (given) => {
    const failure = await createApiKeys(given).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'VALIDATION',
      message: expect.stringMatching(/^apiKeys must be /),
    });
    expect(String(failure)).not.toMatch(/secret|k3y/);
  });

  it('keeps no key', async () => {
    const { inspect } = await import('node:util');
    expect(inspect(apiKeys, { depth: 9, showHidden: true })).not.toContain('k3y');
  });

  it('makes handlers of `durably/server` refuse unknown callers', async () => {
    const handler = createDurablyHandler(fakeDurably(), { auth: { authenticate: apiKeys.authenticate } });
    expect((await handler.handle(requestTo('/nothing'), BASE)).status).toBe(401);
    expect((await handler.handle(requestTo('/nothing', { headers: bearer() }), BASE)).status).toBe(404);
  });
});
