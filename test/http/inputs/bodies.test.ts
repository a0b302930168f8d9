import { Hono } from 'hono';
import { cloneRawRequest } from 'hono/request';
import { describe, expect, it, vi } from 'vitest';
import { createDurablyApp } from '../../../src/app/create-app.ts';
import { createDurablyHandler } from '../../../src/http/create-handler.ts';
import { unheldNumbers } from '../../../src/http/inputs/numbers.ts';
import { BASE, doors, postJson, readProblem, requestTo } from '../doors.ts';
import { fakeDurably } from '../fake-durably.ts';

const post = (body: string, headers: Record<string, string> = {}) =>
  requestTo('/trigger', { method: 'POST', body, headers });

describe.each(doors)('a body, through $door', ({ open }) => {
  it.each(['gzip', 'br', 'deflate', 'zstd', 'GZIP', 'identity, gzip', 'x'.repeat(500)])(
    'is refused with the Content-Encoding %s',
    async (encoding) => {
      const durably = fakeDurably();
      const problem = await readProblem(
        await open(durably)(post('{"jobName":"greet"}', { 'content-encoding': encoding })),
      );
      expect(problem.status).toBe(415);
      expect(problem.headers.get('accept-encoding')).toBe('identity');
      expect(problem.body.code).toBe('UNSUPPORTED_ENCODING');
      expect(problem.body.error).toContain(encoding.slice(0, 64));
      expect(durably.calls).toEqual([]);
    },
  );

  it.each(['identity', 'Identity', ''])('is accepted with the Content-Encoding %j', async (encoding) => {
    const response = await open(fakeDurably())(post('{"jobName":"greet"}', { 'content-encoding': encoding }));
    expect(response.status).toBe(200);
  });

  it('is refused with a number that JavaScript would change, which is named by its path', async () => {
    const durably = fakeDurably();
    const text = '{"jobName":"greet","input":{"items":[{"price":1},{"price":1e400}]}}';
    const { status, body } = await readProblem(await open(durably)(post(text)));
    const message = "input.items.1.price is a number that JavaScript can't hold: 1e400";
    expect(status).toBe(400);
    expect(body).toMatchObject({
      error: message,
      issues: [{ path: ['input', 'items', 1, 'price'], message }],
    });
    expect(durably.calls).toEqual([]);
  });

  it('causes a server error that says what to do if it was already read', async () => {
    const onError = vi.fn();
    const request = postJson('/trigger', { jobName: 'greet' });
    await request.json();
    const { status, body } = await readProblem(await open(fakeDurably(), { onError })(request));
    expect(status).toBe(500);
    expect(body).toMatchObject({ code: 'BODY_CONSUMED' });
    expect(body.error).toContain('request.clone()');
    expect(onError).toHaveBeenCalledOnce();
  });
});

describe('numbers that JavaScript would change', () => {
  it.each([
    '1e400',
    '-1e400',
    '1E+309',
    `1${'0'.repeat(309)}`,
    '1e-400',
    `0.${'0'.repeat(400)}1`,
    '9007199254740993',
    '-9007199254740993',
    '9007199254740993.0',
    '18446744073709551615',
    '12345678901234567890e-1',
  ])('%s is such a number', (number) => {
    expect(unheldNumbers(`[0,{"a":${number}}]`)).toMatchObject([{ path: [1, 'a'] }]);
  });

  it.each([
    '1.0',
    '0.1',
    '1e3',
    '-0',
    '0e999',
    '0.30000000000000004',
    '3.141592653589793238462643383279',
    '9007199254740991',
    '-9007199254740991',
    '9007199254740992',
    '10000000000000000000000',
    '1e22',
    '1e23',
    '1.7976931348623157e308',
    '5e-324',
    '"1e400"',
    '"9007199254740993"',
    '"\\"9007199254740993"',
  ])('%s is not such a number', (value) => {
    expect(unheldNumbers(`[0,{"a":${value}}]`)).toEqual([]);
  });

  it('are listed up to twenty', () => {
    expect(unheldNumbers(`[${'1e400,'.repeat(1_000)}1]`)).toHaveLength(20);
  });
});

describe('a body that Hono middleware has already read', () => {
  const mounted = (read: (request: Hono['request'], c: never) => unknown) => {
    const durably = fakeDurably();
    const app = new Hono();
    app.use(async (c, next) => {
      await read(app.request, c as never);
      await next();
    });
    app.route('/', createDurablyApp(durably, { maxBodyBytes: 100, onError: () => {} }));
    return { app, durably };
  };
  const send = (app: Hono, body: unknown, type = 'application/json') =>
    app.request(`${BASE}/trigger`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: JSON.stringify(body),
    });

  it.each(['json', 'text', 'arrayBuffer', 'blob', 'parseBody'] as const)(
    'is still available after %s',
    async (way) => {
      for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded']) {
        const { app, durably } = mounted((_, c: { req: Record<typeof way, () => Promise<unknown>> }) =>
          c.req[way](),
        );
        expect((await send(app, { jobName: 'greet', input: { a: 1 } }, type)).status).toBe(200);
        expect(durably.calls).toMatchObject([{ args: [{ jobName: 'greet', input: { a: 1 } }] }]);
        expect((await send(app, { jobName: 'greet', input: 'x'.repeat(100) }, type)).status).toBe(413);
      }
    },
  );

  it.each(['json', 'text', 'arrayBuffer', 'blob'] as const)(
    'is available after %s to a handler that is given a copy',
    async (way) => {
      const durably = fakeDurably();
      const handler = createDurablyHandler(durably);
      const app = new Hono();
      app.use(async (c, next) => {
        await c.req[way]();
        await next();
      });
      app.all(`${BASE}/*`, async (c) => handler.handle(await cloneRawRequest(c.req), BASE));
      expect((await send(app, { jobName: 'greet', input: { a: 1 } })).status).toBe(200);
      expect(durably.calls).toMatchObject([{ args: [{ jobName: 'greet', input: { a: 1 } }] }]);
    },
  );

  it('is available if it was read as a copy', async () => {
    const { app } = mounted((_, c: { req: { raw: Request } }) => c.req.raw.clone().text());
    expect((await send(app, { jobName: 'greet' })).status).toBe(200);
  });

  it('is lost if it was read without Hono, which then keeps nothing', async () => {
    const { app } = mounted((_, c: { req: { raw: Request } }) => c.req.raw.text());
    const { status, body } = await readProblem(await send(app, { jobName: 'greet' }));
    expect([status, body.code]).toEqual([500, 'BODY_CONSUMED']);
  });
});

/** An individual handler ignores the method, but its router uses that of the request. */
const routed = doors.filter(({ door }) => door !== 'individual handlers');

describe.each(routed)('HEAD, through $door', ({ open }) => {
  it.each(['/runs', '/run?runId=run_1', '/steps?runId=run_1', '/runs?foo=1'])(
    'has the Content-Length of GET: %s',
    async (path) => {
      const send = open(fakeDurably());
      const text = await (await send(requestTo(path))).text();
      const head = await send(requestTo(path, { method: 'HEAD' }));
      expect(head.headers.get('content-length')).toBe(String(new TextEncoder().encode(text).length));
      expect(await head.text()).toBe('');
    },
  );

  it('has no Content-Length for a stream or an answer without a body', async () => {
    const stream = await open(fakeDurably())(requestTo('/runs/subscribe', { method: 'HEAD' }));
    expect([stream.status, stream.headers.get('content-length')]).toEqual([200, null]);
    const ended = open(fakeDurably({ openRunFeed: async () => ({ kind: 'ended' }) }));
    const nothing = await ended(requestTo('/subscribe?runId=run_1', { method: 'HEAD' }));
    expect([nothing.status, nothing.headers.get('content-length')]).toEqual([204, null]);
  });
});

it.each(['/healthz', '/readyz', '/openapi.json', '/nothing'])(
  'HEAD %s has a Content-Length',
  async (path) => {
    const app = createDurablyApp(fakeDurably());
    const text = await (await app.request(path)).text();
    const head = await app.request(path, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(String(text.length));
  },
);
