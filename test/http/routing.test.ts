import { describe, expect, it, vi } from 'vitest';
import { createDurablyApp } from '../../src/app/create-app.ts';
import { createDurablyHandler } from '../../src/http/create-handler.ts';
import { operations } from '../../src/http/operations/index.ts';
import { BASE, doors, pathOf, readProblem, requestTo } from './doors.ts';
import { fakeDurably, ManualCursor, sampleRun } from './fake-durably.ts';

describe.each(doors.slice(0, 2))('routing by $door', ({ open }) => {
  it.each(operations)('answers other methods of $path with 405 and Allow', async ({ path }) => {
    const known = operations.filter((other) => other.path === path).map(({ method }): string => method);
    const allow = known.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      if (allow.split(', ').includes(method)) continue;
      const response = await open(fakeDurably())(requestTo(path, { method }));
      expect([method, response.status, response.headers.get('allow')]).toEqual([method, 405, allow]);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
    }
  });

  it.each(operations.filter(({ method }) => method === 'GET'))(
    'answers HEAD $path like GET, without a body',
    async (operation) => {
      const cursor = new ManualCursor([]);
      const durably = fakeDurably({
        openRunFeed: async () => ({ kind: 'open', cursor }),
        openRunListFeed: async () => ({ after: 0, cursor }),
      });
      const response = await open(durably)(requestTo(pathOf(operation, 'run_1'), { method: 'HEAD' }));
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toMatch(/json|event-stream/);
      expect(response.body).toBeNull();
      expect(cursor.closed).toBe(operation.answers === 'events');
    },
  );

  it.each(['/', '', '/nope', '/runs/', '/run/x', '/Runs', '/runs/subscribe/x'])(
    'answers 404 for %j',
    async (path) => {
      const { status, contentType, body } = await readProblem(await open(fakeDurably())(requestTo(path)));
      expect([status, contentType]).toEqual([404, 'application/problem+json']);
      expect(body.code).toBe('NOT_FOUND');
    },
  );

  it('answers 404 outside the base path', async () => {
    for (const url of ['http://h/runs', `http://h${BASE}x/runs`, `http://h/x${BASE}/runs`]) {
      expect((await open(fakeDurably())(new Request(url))).status).toBe(404);
    }
  });
});

describe('handle()', () => {
  it.each(['/api/durably', '/api/durably/', 'api/durably', '//api/durably'])(
    'accepts the base path %j',
    async (base) => {
      const handler = createDurablyHandler(fakeDurably());
      expect((await handler.handle(requestTo('/runs'), base)).status).toBe(200);
    },
  );

  it.each(['', '/'])('serves the root for the base path %j', async (base) => {
    const handler = createDurablyHandler(fakeDurably());
    expect((await handler.handle(new Request('http://h/runs'), base)).status).toBe(200);
  });

  it('calls onRequest before it reads the path', async () => {
    const onRequest = () => {
      throw new Response(null, { status: 401 });
    };
    const handler = createDurablyHandler(fakeDurably(), { onRequest });
    expect((await handler.handle(requestTo('/nope'), BASE)).status).toBe(401);
  });
});

describe('individual handlers', () => {
  it('ignore path and method', async () => {
    const durably = fakeDurably();
    const { run, cancel, trigger } = createDurablyHandler(durably);
    const anywhere = 'http://h/elsewhere?runId=run_9';
    expect(await (await run(new Request(anywhere, { method: 'POST' }))).json()).toEqual(sampleRun);
    expect(await (await cancel(new Request(anywhere))).json()).toEqual({ success: true });
    const body = JSON.stringify({ jobName: 'greet' });
    expect(await (await trigger(new Request('http://h/elsewhere', { method: 'PUT', body }))).json()).toEqual({
      runId: 'run_1',
      disposition: 'created',
    });
    expect(durably.calls.map(({ method }) => method)).toEqual(['getRun', 'cancel', 'triggerForId']);
  });

  it('run the whole pipeline at each call, also for the same request', async () => {
    const onRequest = vi.fn();
    const handler = createDurablyHandler(fakeDurably(), { onRequest });
    const request = requestTo('/runs');
    await handler.runs(request);
    await handler.runs(request);
    expect(onRequest).toHaveBeenCalledTimes(2);
    expect(onRequest).toHaveBeenCalledWith(request);
  });
});

describe('options', () => {
  it.each([0, -1, Number.NaN, Infinity])('refuse keepAliveMs %s', (keepAliveMs) => {
    expect(() => createDurablyHandler(fakeDurably(), { keepAliveMs })).toThrow(/keepAliveMs/);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity])('refuse maxBodyBytes %s', (maxBodyBytes) => {
    expect(() => createDurablyHandler(fakeDurably(), { maxBodyBytes })).toThrow(/maxBodyBytes/);
  });

  it.each(['/a b', '/:x', '/*', '/ü'])('refuse the base path %j', (basePath) => {
    expect(() => createDurablyApp(fakeDurably(), { basePath })).toThrow(/basePath/);
  });
});
