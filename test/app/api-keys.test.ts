import { once } from 'node:events';
import { connect } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { sign } from 'hono/jwt';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createApiKeys } from '../../src/app/api-keys.ts';
import { type CreateDurablyAppOptions, createDurablyApp } from '../../src/app/create-app.ts';
import { createDurablyHandler } from '../../src/http/create-handler.ts';
import { operations } from '../../src/http/operations/index.ts';
import { BASE, doors, postJson, readProblem, requestTo, validRequest } from '../http/doors.ts';
import { type FakeDurably, fakeDurably } from '../http/fake-durably.ts';
import { listen } from '../support/net/listening.ts';

const KEY = 'k3y:of/the-dashboard';
const OTHER_KEY = 'k3y:of/another-one!';
const pairs = [
  { name: 'dashboard', key: KEY },
  { name: 'ci', key: OTHER_KEY },
];
const apiKeys = await createApiKeys(pairs);
const bearer = (key = KEY) => ({ authorization: `Bearer ${key}` });

const streams = operations.filter(({ answers }) => answers === 'events');
const others = operations.filter(({ answers }) => answers !== 'events');

afterEach(() => {
  vi.useRealTimers();
});

/** The app on a real HTTP server. */
async function serve(durably = fakeDurably(), options: CreateDurablyAppOptions = { apiKeys }) {
  const { url, port } = await listen(getRequestListener(createDurablyApp(durably, options).fetch));
  const send = async (request: Request) => {
    const { pathname, search } = new URL(request.url);
    const body = request.method === 'POST' ? await request.text() : null;
    return await fetch(`${url}${pathname}${search}`, {
      method: request.method,
      headers: request.headers,
      body,
    });
  };
  return { url, port, send };
}

const withHeaders = (request: Request, headers: Record<string, string>) => {
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
  return request;
};

const withTicket = (request: Request, ticket: string) => {
  const url = new URL(request.url);
  url.searchParams.set('ticket', ticket);
  return new Request(url, request);
};

async function getTicket(query = ''): Promise<string> {
  const request = requestTo(`/stream-ticket${query}`, { method: 'POST', headers: bearer() });
  const response = await createDurablyApp(fakeDurably(), { apiKeys }).fetch(request);
  expect(response.status).toBe(200);
  return (await response.json()).ticket;
}

/** Every kind of request without valid credentials. */
const uninvited: readonly (readonly [string, (request: Request) => Request | Promise<Request>])[] = [
  ['no credentials', (request) => request],
  [
    'another scheme',
    (request) => withHeaders(request, { authorization: `Basic ${btoa(`dashboard:${KEY}`)}` }),
  ],
  ['the key without a scheme', (request) => withHeaders(request, { authorization: KEY })],
  ['a scheme that begins alike', (request) => withHeaders(request, { authorization: `Bearers ${KEY}` })],
  ['a wrong key', (request) => withHeaders(request, bearer('k3y:of/the-dashboarb'))],
  ['a shorter key', (request) => withHeaders(request, bearer(KEY.slice(0, -1)))],
  ['a longer key', (request) => withHeaders(request, bearer(`${KEY}d`))],
  ['a key in other letters', (request) => withHeaders(request, bearer(KEY.toUpperCase()))],
  ['a pair', (request) => withHeaders(request, bearer(`dashboard:${KEY}`))],
  ['two keys', (request) => withHeaders(request, bearer(`${KEY} ${KEY}`))],
  ['an empty key', (request) => withHeaders(request, { authorization: 'Bearer ' })],
  ['a scheme alone', (request) => withHeaders(request, { authorization: 'Bearer' })],
  ['an empty header', (request) => withHeaders(request, { authorization: '' })],
  [
    'the key in the query',
    (request) =>
      new Request(
        `${request.url}${request.url.includes('?') ? '&' : '?'}key=${encodeURIComponent(KEY)}`,
        request,
      ),
  ],
  ['the key as a ticket', (request) => withTicket(request, KEY)],
  ['an empty ticket', (request) => withTicket(request, '')],
  [
    'a ticket that expired',
    async (request) => {
      vi.useFakeTimers({ toFake: ['Date'] });
      const ticket = await getTicket();
      vi.setSystemTime(Date.now() + 61_000);
      return withTicket(request, ticket);
    },
  ],
  [
    'a ticket with another signature',
    async (request) => {
      const [head, claims] = (await getTicket()).split('.');
      return withTicket(request, `${head}.${claims}.${btoa('x'.repeat(32)).replaceAll('=', '')}`);
    },
  ],
  [
    'a ticket without a signature',
    async (request) => {
      const [, claims] = (await getTicket()).split('.');
      return withTicket(request, `${btoa('{"alg":"none","typ":"JWT"}').replaceAll('=', '')}.${claims}.`);
    },
  ],
  [
    'a ticket of another algorithm',
    async (request) => withTicket(request, await sign(claims(), KEY, 'HS512')),
  ],
  [
    'a ticket signed with the key itself',
    async (request) => withTicket(request, await sign(claims(), KEY, 'HS256')),
  ],
  [
    'a ticket whose claims were changed',
    async (request) => {
      const [head, , signature] = (await getTicket()).split('.');
      const changed = btoa(JSON.stringify({ ...claims(), exp: claims().exp + 1e6 })).replaceAll('=', '');
      return withTicket(request, `${head}.${changed}.${signature}`);
    },
  ],
  [
    'a ticket of a key that is gone',
    async (request) => {
      const gone = await createApiKeys([{ name: 'gone', key: KEY }]);
      const app = createDurablyApp(fakeDurably(), { apiKeys: gone });
      const response = await app.fetch(requestTo('/stream-ticket', { method: 'POST', headers: bearer() }));
      return withTicket(request, (await response.json()).ticket);
    },
  ],
  [
    'a ticket and a wrong key',
    async (request) => withHeaders(withTicket(request, await getTicket()), bearer('k3y:of/the-dashboarb')),
  ],
];

const claims = () => ({ sub: 'dashboard', aud: 'durably:stream', exp: Math.floor(Date.now() / 1000) + 60 });

type Open = (durably: FakeDurably) => Promise<(request: Request) => Promise<Response>>;

const keyedDoors: readonly { readonly door: string; readonly open: Open }[] = [
  ...doors.map(({ door, open }) => ({
    door: `${door} with the keys as \`auth\``,
    open: async (durably: FakeDurably) => open(durably, { auth: { authenticate: apiKeys.authenticate } }),
  })),
  {
    door: 'the app',
    open: async (durably) => {
      const app = createDurablyApp(durably, { apiKeys });
      return async (request) => app.fetch(request);
    },
  },
  { door: 'the app over HTTP', open: async (durably) => (await serve(durably)).send },
];

describe.each(keyedDoors)('through $door', ({ open }) => {
  describe.each(operations)('$method $path', (operation) => {
    it.each(uninvited)('refuses %s', async (_, approach) => {
      const durably = fakeDurably();
      const send = await open(durably);
      const response = await send(await approach(validRequest(operation)));
      const { status, contentType, headers, body } = await readProblem(response);
      expect([status, contentType]).toEqual([401, 'application/problem+json']);
      expect(headers.get('www-authenticate')).toBe('Bearer');
      expect(body).toMatchObject({ code: 'UNAUTHORIZED', status: 401, title: 'Unauthorized' });
      expect(JSON.stringify(body)).not.toContain(KEY);
      expect(durably.calls).toEqual([]);
    });

    it.each([
      ['Bearer', KEY],
      ['bearer', KEY],
      ['BEARER ', OTHER_KEY],
    ])('accepts "%s" with a key', async (scheme, key) => {
      const send = await open(fakeDurably());
      const response = await send(
        withHeaders(validRequest(operation), { authorization: `${scheme} ${key}` }),
      );
      expect(response.status).toBe(200);
      await response.body?.cancel();
    });
  });
});

describe('a ticket', () => {
  it.each(streams)('opens $path more than once', async (operation) => {
    const { send } = await serve();
    const ticket = await getTicket();
    for (const _ of [1, 2]) {
      const response = await send(withTicket(validRequest(operation), ticket));
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
      await response.body?.cancel();
    }
  });

  it.each(others)('does not open $method $path', async (operation) => {
    const { send } = await serve();
    expect((await send(withTicket(validRequest(operation), await getTicket()))).status).toBe(401);
  });

  it.each(['/readyz', '/openapi.json', `${BASE}/stream-ticket`, `${BASE}/nothing`])(
    'does not open %s',
    async (path) => {
      const { url } = await serve();
      const ticket = await getTicket();
      for (const method of ['GET', 'POST']) {
        expect((await fetch(`${url}${path}?ticket=${ticket}`, { method })).status).toBe(401);
      }
    },
  );

  it('is valid for a minute, at every instance with the key', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-22T10:00:00.500Z') });
    const request = requestTo('/stream-ticket', { method: 'POST', headers: bearer() });
    const response = await createDurablyApp(fakeDurably(), { apiKeys }).fetch(request);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const { ticket, expiresAt } = await response.json();
    expect(expiresAt).toBe('2026-11-22T10:01:00.000Z');
    const elsewhere = createDurablyApp(fakeDurably(), { apiKeys: await createApiKeys(pairs.slice(0, 1)) });
    const status = async () => {
      const answer = await elsewhere.fetch(withTicket(requestTo('/runs/subscribe'), ticket));
      await answer.body?.cancel();
      return answer.status;
    };
    vi.setSystemTime('2026-11-22T10:00:59.900Z');
    expect(await status()).toBe(200);
    vi.setSystemTime('2026-11-22T10:01:00.000Z');
    expect(await status()).toBe(401);
  });

  it('is invalid after its key was replaced by another with the same name', async () => {
    const renewed = await createApiKeys([{ name: 'dashboard', key: 'quite-another-key-1' }]);
    const app = createDurablyApp(fakeDurably(), { apiKeys: renewed });
    expect((await app.fetch(withTicket(requestTo('/runs/subscribe'), await getTicket()))).status).toBe(401);
  });

  it("for one run opens only that run's stream", async () => {
    const app = createDurablyApp(fakeDurably(), { apiKeys });
    const ticket = await getTicket('?runId=run_1');
    const statusOf = async (path: string) => {
      const response = await app.fetch(withTicket(requestTo(path), ticket));
      await response.body?.cancel();
      return response.status;
    };
    expect(await statusOf('/subscribe?runId=run_1')).toBe(200);
    expect(await statusOf('/subscribe?runId=run_2')).toBe(401);
    expect(await statusOf('/subscribe?runId=run_2&runId=run_1')).toBe(401);
    expect(await statusOf('/runs/subscribe')).toBe(401);
    expect(await statusOf('/runs/subscribe?runId=run_2')).toBe(401);
    // This path ignores the parameter, so the parameter proves nothing.
    expect(await statusOf('/runs/subscribe?runId=run_1')).toBe(401);
  });

  it.each([
    ['?runId=', 'runId query parameter is required'],
    ['?runId=a&runId=b', 'runId must be given once'],
  ])('is refused for %s', async (query, message) => {
    const app = createDurablyApp(fakeDurably(), { apiKeys });
    const request = requestTo(`/stream-ticket${query}`, { method: 'POST', headers: bearer() });
    const { status, body } = await readProblem(await app.fetch(request));
    expect([status, body.error]).toEqual([400, message]);
  });

  it('is not available without keys, nor with GET', async () => {
    const post = () => requestTo('/stream-ticket', { method: 'POST', headers: bearer() });
    expect((await createDurablyApp(fakeDurably()).fetch(post())).status).toBe(404);
    const response = await createDurablyApp(fakeDurably(), { apiKeys }).fetch(
      requestTo('/stream-ticket', { headers: bearer() }),
    );
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

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
