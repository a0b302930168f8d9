import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { requestId } from 'hono/request-id';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createApiKeys } from '../../src/app/api-keys.ts';
import { type CreateDurablyAppOptions, createDurablyApp } from '../../src/app/create-app.ts';
import { operations } from '../../src/http/operations/index.ts';
import { BASE, requestTo, validRequest } from '../http/doors.ts';
import { fakeDurably, ManualCursor, streamedEvent } from '../http/fake-durably.ts';
import { listen } from '../support/net/listening.ts';

const KEY = 'key-of-the-dashboard';
const apiKeys = await createApiKeys([{ name: 'dashboard', key: KEY }]);
const HOME = 'https://dash.example';
const FOREIGN = 'https://evil.example';

async function serve(options: CreateDurablyAppOptions, durably = fakeDurably()): Promise<string> {
  return (await listen(getRequestListener(createDurablyApp(durably, options).fetch))).url;
}

const preflight = (origin: string, method = 'POST') => ({
  method: 'OPTIONS',
  headers: {
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': 'authorization,content-type',
  },
});

describe('an origin of the allow-list', () => {
  const options = { apiKeys, corsOrigins: [HOME, 'http://localhost:5173'] };

  it.each(operations)(
    'may send a preflight for $method $path without credentials',
    async ({ method, path }) => {
      const response = await createDurablyApp(fakeDurably(), options).request(
        `${BASE}${path}`,
        preflight(HOME, method),
      );
      expect(response.status).toBe(204);
      const { headers } = response;
      expect(headers.get('access-control-allow-origin')).toBe(HOME);
      expect(headers.get('access-control-allow-methods')?.split(',')).toContain(method);
      expect(headers.get('access-control-allow-headers')).toBe(
        'Authorization,Content-Type,Idempotency-Key,Last-Event-ID,X-Request-Id',
      );
      expect(headers.has('access-control-allow-credentials')).toBe(false);
    },
  );

  it('can read every answer: success, refusal, failure and stream', async () => {
    const getRuns = async () => {
      throw new Error('secret');
    };
    const url = await serve({ ...options, onError: () => {} }, fakeDurably({ getRuns }));
    const ask = async (path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${url}${path}`, { headers: { origin: HOME, ...headers } });
      expect(response.headers.get('access-control-allow-origin')).toBe(HOME);
      expect(response.headers.get('access-control-expose-headers')).toBe('X-Request-Id,Retry-After,Link');
      expect(response.headers.get('vary')).toContain('Origin');
      await response.body?.cancel();
      return response.status;
    };
    const authorization = `Bearer ${KEY}`;
    expect(await ask(`${BASE}/run?runId=run_1`, { authorization })).toBe(200);
    expect(await ask(`${BASE}/subscribe?runId=run_1`, { authorization })).toBe(200);
    expect(await ask(`${BASE}/runs`, { authorization })).toBe(500);
    expect(await ask(`${BASE}/nothing`, { authorization })).toBe(404);
    expect(await ask(`${BASE}/runs`)).toBe(401);
  });

  it.each([FOREIGN, 'https://dash.example.evil.example', 'http://dash.example', 'null', ''])(
    'does not include %j',
    async (origin) => {
      const app = createDurablyApp(fakeDurably(), options);
      expect((await app.request(`${BASE}/runs`, preflight(origin))).status).toBe(401);
      const response = await app.request(`${BASE}/runs`, {
        headers: { origin, authorization: `Bearer ${KEY}` },
      });
      expect(response.status).toBe(200);
      expect(response.headers.has('access-control-allow-origin')).toBe(false);
    },
  );

  it('needs a key for an OPTIONS request that is not a preflight', async () => {
    const app = createDurablyApp(fakeDurably(), options);
    const response = await app.request(`${BASE}/runs`, { method: 'OPTIONS', headers: { origin: HOME } });
    expect(response.status).toBe(401);
  });

  it('is accepted by the host guard', async () => {
    const app = createDurablyApp(fakeDurably(), { allowedHosts: [], corsOrigins: [HOME] });
    const statusFor = async (origin: string) =>
      (await app.request(`http://localhost${BASE}/runs`, { headers: { host: 'localhost', origin } })).status;
    expect(await statusFor(HOME)).toBe(200);
    expect(await statusFor(FOREIGN)).toBe(403);
    expect((await app.request(`http://localhost${BASE}/runs`, preflight(HOME))).status).toBe(204);
    expect((await app.request(`http://localhost${BASE}/runs`, preflight(FOREIGN))).status).toBe(403);
  });

  it.each(['*', 'example.com', 'https://example.com/', 'https://example.com:443', 'null', ''])(
    "can't be %j",
    (origin) => {
      expect(() => createDurablyApp(fakeDurably(), { corsOrigins: [origin] })).toThrow(
        /^corsOrigins must be/,
      );
    },
  );
});

describe('if any host is accepted', () => {
  const app = createDurablyApp(fakeDurably(), { allowedHosts: 'any', corsOrigins: [HOME] });
  const statusFor = async (headers: Record<string, string>) =>
    (await app.request(`http://jobs.example${BASE}/runs`, { headers })).status;

  it.each([
    [{ host: 'jobs.example' }],
    [{ host: '10.0.0.1:3000' }],
    [{ host: 'jobs.example', origin: 'https://jobs.example' }],
    [{ host: 'jobs.example:443', origin: 'https://jobs.example' }],
    [{ host: 'jobs.example:3000', origin: 'http://jobs.example:3000' }],
    [{ host: '[::2]:3000', origin: 'http://[::2]:3000' }],
    [{ host: 'jobs.example', origin: HOME }],
  ])('the origin %j is accepted', async (headers) => {
    expect(await statusFor(headers)).toBe(200);
  });

  it.each([
    [{ host: 'jobs.example', origin: FOREIGN }],
    [{ host: 'jobs.example:3000', origin: 'http://jobs.example:3001' }],
    [{ host: 'jobs.example', origin: 'http://localhost:3000' }],
    [{ host: 'jobs.example', origin: 'null' }],
    [{ host: 'jobs.example', origin: '' }],
    [{ host: 'evil.example#jobs.example', origin: FOREIGN }],
    [{ host: '', origin: 'http://' }],
  ])('the origin %j is refused', async (headers) => {
    expect(await statusFor(headers)).toBe(403);
  });
});

describe('every answer', () => {
  it.each([[[]], [[HOME]]])(
    'has the security headers and its own content type and stream: origins %j',
    async (corsOrigins) => {
      const cursor = new ManualCursor([[streamedEvent(1)]]);
      cursor.finish();
      const openRunFeed = async () => ({ kind: 'open', cursor }) as const;
      const url = await serve({ apiKeys, corsOrigins }, fakeDurably({ openRunFeed }));
      const headers = { authorization: `Bearer ${KEY}`, origin: HOME };
      const paths = {
        '/healthz': 'application/json',
        [`${BASE}/runs`]: 'application/json',
        [`${BASE}/nothing`]: 'application/problem+json',
        [`${BASE}/subscribe?runId=run_1`]: 'text/event-stream',
      };
      for (const [path, contentType] of Object.entries(paths)) {
        const response = await fetch(`${url}${path}`, { headers });
        expect(response.headers.get('content-type')).toBe(contentType);
        expect(response.headers.get('x-content-type-options')).toBe('nosniff');
        expect(response.headers.get('x-frame-options')).toBe('SAMEORIGIN');
        expect(response.headers.get('referrer-policy')).toBe('no-referrer');
        expect(response.headers.get('strict-transport-security')).toBe('max-age=15552000');
        expect(response.headers.get('cross-origin-resource-policy')).toBe('same-origin');
        const text = await response.text();
        if (contentType === 'text/event-stream') {
          expect(text).toBe(`retry: 1000\n\nid: 1\ndata: ${streamedEvent(1).json}\n\n`);
          expect(response.headers.get('cache-control')).toBe('no-cache, no-transform');
        }
      }
    },
  );

  it.each(operations)('to $method $path has its own request id', async (operation) => {
    const app = createDurablyApp(fakeDurably());
    const ids = [1, 2].map(async () => {
      const response = await app.fetch(validRequest(operation));
      await response.body?.cancel();
      return response.headers.get('x-request-id');
    });
    const [one, other] = await Promise.all(ids);
    expect(one).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    expect(other).not.toBe(one);
  });

  it.each(['trace-7f_3=', 'a'.repeat(255)])('has the id that the request came with: %s', async (id) => {
    const app = createDurablyApp(fakeDurably(), { apiKeys });
    for (const path of ['/healthz', `${BASE}/runs`]) {
      const response = await app.request(path, { headers: { 'x-request-id': id } });
      expect(response.headers.get('x-request-id')).toBe(id);
    }
  });

  it.each(['', 'a'.repeat(256), 'a b', 'a"b', 'ä', '<script>'])('does not repeat the id %j', async (id) => {
    const response = await createDurablyApp(fakeDurably()).request('/healthz', {
      headers: { 'x-request-id': id },
    });
    expect(response.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/);
  });

  it('has the id that an outer app gave', async () => {
    const outer = new Hono()
      .use(requestId({ generator: () => 'outer-1' }))
      .route('/', createDurablyApp(fakeDurably()));
    expect((await outer.request(`${BASE}/runs`)).headers.get('x-request-id')).toBe('outer-1');
  });
});

describe('a failure is reported', () => {
  const failure = new Error('the cause');
  const fail = async () => {
    throw failure;
  };
  const headers = { 'x-request-id': 'trace-1' };

  it('with the id of its request', async () => {
    const onError = vi.fn();
    const cursor = new ManualCursor([]);
    cursor.fail(failure);
    const openRunFeed = async () => ({ kind: 'open', cursor }) as const;
    const app = createDurablyApp(fakeDurably({ getRuns: fail, health: fail, openRunFeed }), { onError });
    for (const path of [`${BASE}/runs`, '/readyz', `${BASE}/subscribe?runId=run_1`]) {
      await (await app.request(path, { headers })).text();
      expect(onError).toHaveBeenCalledExactlyOnceWith(failure, { requestId: 'trace-1' });
      onError.mockClear();
    }
  });

  it('to the console without the query if there is no onError', async () => {
    const error = vi.spyOn(console, 'error').mockImplementation(() => {});
    onTestFinished(() => error.mockRestore());
    const app = createDurablyApp(fakeDurably({ openRunFeed: fail }), { queryParams: ['ticket'] });
    await app.request(`${BASE}/subscribe?runId=run_1&ticket=hidden`, { headers });
    expect(error).toHaveBeenCalledExactlyOnceWith('durably: request trace-1:', failure);
    expect(JSON.stringify(error.mock.calls)).not.toContain('hidden');
  });
});

describe('a problem never contains a ticket', () => {
  it.each([
    '/subscribe?ticket=hidden',
    '/nothing?ticket=hidden',
    '/trigger?ticket=hidden',
    '/subscribe?ticket=hidden&runId=%zz',
  ])('%s', async (path) => {
    for (const options of [{}, { apiKeys }]) {
      const response = await createDurablyApp(fakeDurably(), options).fetch(requestTo(path));
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(await response.text()).not.toContain('hidden');
    }
  });
});
