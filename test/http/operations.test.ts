import { describe, expect, it, vi } from 'vitest';
import { createDurablyApp } from '../../src/app/create-app.ts';
import {
  ConflictError,
  DatabaseUnavailableError,
  NotFoundError,
  SchemaMismatchError,
  ValidationError,
} from '../../src/core/errors/errors.ts';
import { createDurablyHandler } from '../../src/http/create-handler.ts';
import { operations } from '../../src/http/operations/index.ts';
import { BASE, doors, pathOf, postJson, readProblem, requestTo, validRequest } from './doors.ts';
import { type FakeDurably, fakeDurably, ManualCursor, sampleRun } from './fake-durably.ts';

/** A service in which every call fails with the same error. */
function failing(error: unknown): FakeDurably {
  const fail = async () => {
    throw error;
  };
  return fakeDurably({
    trigger: fail,
    retrigger: fail,
    getRun: fail,
    getRuns: fail,
    getSteps: fail,
    getLogs: fail,
    retry: fail,
    cancel: fail,
    deleteRun: fail,
    openRunFeed: fail,
    openRunListFeed: fail,
    processUntilIdle: fail,
  });
}

const silent = { onError: () => {} };
const needingRunId = operations.filter(({ input }) => 'runId' in input.schema.shape);

describe.each(doors)('through $door', ({ open }) => {
  describe.each(operations)('$method $path', (operation) => {
    it('answers a valid request', async () => {
      const response = await open(fakeDurably())(validRequest(operation));
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe(
        operation.answers === 'json' ? 'application/json' : 'text/event-stream',
      );
      if (operation.answers === 'json')
        expect(operation.output.safeParse(await response.json()).success).toBe(true);
      else await response.body?.cancel();
    });

    it('calls onRequest once, before anything else, and a Response it throws is the answer', async () => {
      const durably = fakeDurably();
      const send = open(durably, {
        onRequest: () => {
          expect(durably.calls).toEqual([]);
          throw new Response('who are you?', { status: 401 });
        },
      });
      const response = await send(requestTo(operation.path, { method: operation.method }));
      expect(response.status).toBe(401);
      expect(await response.text()).toBe('who are you?');
      expect(durably.calls).toEqual([]);

      const onRequest = vi.fn();
      await open(fakeDurably(), { onRequest })(validRequest(operation));
      expect(onRequest).toHaveBeenCalledTimes(1);
    });

    it("answers 503 while the database is unavailable, without the driver's text", async () => {
      for (const error of [
        new DatabaseUnavailableError('gone', { cause: new Error('secret host db7 refused') }),
        new SchemaMismatchError('durably_runs has a column secret'),
      ]) {
        const onError = vi.fn();
        const { status, headers, body } = await readProblem(
          await open(failing(error), { onError })(validRequest(operation)),
        );
        expect(status).toBe(503);
        expect(headers.get('retry-after')).toMatch(/^\d+$/);
        expect(body).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 });
        expect(JSON.stringify(body)).not.toContain('secret');
        expect(onError).toHaveBeenCalledExactlyOnceWith(error, expect.anything());
      }
    });

    it('answers 500 with a generic text for an unexpected error, and logs the cause', async () => {
      for (const error of [new TypeError('secret of undefined'), 'secret', undefined]) {
        const onError = vi.fn();
        const problem = await readProblem(await open(failing(error), { onError })(validRequest(operation)));
        expect(problem.status).toBe(500);
        expect(problem.contentType).toBe('application/problem+json');
        expect(JSON.stringify(problem.body)).not.toContain('secret');
        expect(problem.body).toMatchObject({ title: 'Internal Server Error', code: 'INTERNAL' });
        expect(onError).toHaveBeenCalledExactlyOnceWith(error, expect.anything());
      }
    });
  });

  describe.each(needingRunId)('$method $path', ({ method, path }) => {
    const refused = async (query: string) => {
      const durably = fakeDurably();
      const problem = await readProblem(await open(durably)(requestTo(`${path}${query}`, { method })));
      expect(durably.calls).toEqual([]);
      expect(problem).toMatchObject({ status: 400, contentType: 'application/problem+json' });
      return problem.body;
    };

    it.each(['', '?runId=', '?runId'])('needs a runId: %j', async (query) => {
      expect(await refused(query)).toEqual({
        type: 'about:blank',
        title: 'Bad Request',
        status: 400,
        detail: 'runId query parameter is required',
        error: 'runId query parameter is required',
        code: 'VALIDATION',
        issues: [{ path: ['runId'], message: 'runId query parameter is required' }],
      });
    });

    it.each([
      ['?runId=a&runId=b', 'runId must be given once'],
      ['?runId=a%00b', 'runId holds a NUL or a lone surrogate'],
      ['?runId=%ED%A0%80', 'runId is not percent-encoded UTF-8'],
      ['?runId=%zz', 'runId is not percent-encoded UTF-8'],
    ])('refuses %s', async (query, message) => {
      expect(await refused(query)).toMatchObject({ error: message, detail: message });
    });

    it('answers 404 for an unknown run', async () => {
      const durably = fakeDurably({
        ...failing(new NotFoundError('Run not found')),
        getRun: async () => null,
        openRunFeed: async () => ({ kind: 'not-found' }),
      });
      const { status, body } = await readProblem(
        await open(durably)(requestTo(`${path}?runId=run_x`, { method })),
      );
      expect(status).toBe(404);
      expect(body).toMatchObject({ title: 'Not Found', error: 'Run not found', code: 'NOT_FOUND' });
    });
  });

  it.each(operations.filter(({ effect }) => effect === 'write'))(
    'answers 409 to $method $path in a wrong state',
    async (operation) => {
      const send = open(failing(new ConflictError('Cannot do that to a running run')));
      const { status, body } = await readProblem(await send(validRequest(operation)));
      expect(status).toBe(409);
      expect(body).toMatchObject({ error: 'Cannot do that to a running run', code: 'CONFLICT' });
    },
  );

  it.each([
    ['/runs', 'limit=0', 'limit must be a whole number from 1 to 1000'],
    ['/runs', 'limit=1001', 'limit must be a whole number from 1 to 1000'],
    ['/runs', 'limit=', 'limit must be a whole number from 1 to 1000'],
    ['/runs', 'limit=1.5', 'limit must be a whole number from 1 to 1000'],
    ['/runs', 'limit=1e2', 'limit must be a whole number from 1 to 1000'],
    ['/runs', 'limit=-1', 'limit must be a whole number from 1 to 1000'],
    ['/runs', 'limit=ten', 'limit must be a whole number from 1 to 1000'],
    ['/runs', 'limit=5&limit=6', 'limit must be given once'],
    ['/runs', 'offset=-1', 'offset must be a whole number from 0 to 100000'],
    ['/runs', 'offset=100001', 'offset must be a whole number from 0 to 100000'],
    ['/runs', 'offset=x', 'offset must be a whole number from 0 to 100000'],
    ['/runs', 'status=done', 'status must be one of pending, running, completed, failed, cancelled'],
    ['/runs', 'status=', 'status must be one of pending, running, completed, failed, cancelled'],
    [
      '/runs',
      'status=failed&status=x',
      'status must be one of pending, running, completed, failed, cancelled',
    ],
    ['/runs', 'jobName=', 'jobName must not be empty'],
    ['/runs', 'jobName=%00', 'jobName holds a NUL or a lone surrogate'],
    ['/runs', 'jobName=%ff', 'jobName is not percent-encoded UTF-8'],
    ['/runs', Array(21).fill('jobName=a').join('&'), 'jobName may be given at most 20 times'],
    ['/runs', 'label.org=1&label.org=2', 'label.org must be one string of at most 256 characters'],
    ['/runs', `label.org=${'v'.repeat(257)}`, 'label.org must be one string of at most 256 characters'],
    ['/runs', 'label.org=%00', 'label.org holds a NUL or a lone surrogate'],
    ['/runs', 'label.org=%ff', 'label.org is not percent-encoded UTF-8'],
    ['/runs', 'label.=1', 'label. must have a key of 1 to 64 letters, digits and ._/-'],
    ['/runs', 'label.a+b=1', 'label.a b must have a key of 1 to 64 letters, digits and ._/-'],
    ['/runs', 'label.__proto__=1', 'label.__proto__ must have a key of 1 to 64 letters, digits and ._/-'],
    [
      '/runs',
      Array.from({ length: 21 }, (_, i) => `label.k${i}=1`).join('&'),
      'label must have at most 20 keys',
    ],
    ['/runs/subscribe', 'label.%C3%A4=1', 'label.ä must have a key of 1 to 64 letters, digits and ._/-'],
    ['/runs/subscribe', 'jobName=', 'jobName must not be empty'],
    ['/runs/subscribe', 'lastEventId=x', 'lastEventId must be a whole number from 0 to 9007199254740991'],
    ['/subscribe', 'runId=r&lastEventId=-1', 'lastEventId must be a whole number from 0 to 9007199254740991'],
    ['/subscribe', 'runId=r&lastEventId=1&lastEventId=2', 'lastEventId must be given once'],
    ['/logs', 'runId=r&level=debug', 'level must be one of info, warn, error'],
    ['/logs', 'runId=r&limit=0', 'limit must be a whole number from 1 to 1000'],
    ['/logs', 'runId=r&after=-1', 'after must be a whole number from 0 to 9007199254740991'],
  ])('refuses GET %s?%s', async (path, query, message) => {
    const durably = fakeDurably();
    const { status, body } = await readProblem(await open(durably)(requestTo(`${path}?${query}`)));
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: message, detail: message, code: 'VALIDATION' });
    expect(body.issues ?? [{}]).toHaveLength(1);
    expect(durably.calls).toEqual([]);
  });

  it('passes filters on, with repeated ones as lists', async () => {
    const durably = fakeDurably();
    const send = open(durably);
    await send(requestTo('/runs?jobName=a+b&jobName=c%26d&status=failed&limit=1000&offset=100000'));
    await send(requestTo('/runs'));
    await send(requestTo('/logs?runId=run_1&level=warn&after=0&limit=1'));
    expect(durably.calls.map(({ args }) => args[0])).toEqual([
      { jobName: ['a b', 'c&d'], status: ['failed'], limit: 1000, offset: 100_000 },
      { limit: 100, offset: 0 },
      { runId: 'run_1', level: 'warn', after: 0, limit: 1 },
    ]);
  });

  it('passes labels on by their keys, and `leased` as running', async () => {
    const durably = fakeDurably();
    const send = open(durably);
    await send(requestTo('/runs?label.org=1&label.a.b/c=x%26y&status=leased&status=failed'));
    await (await send(requestTo('/runs/subscribe?label.org=&label.7=+&lastEventId=5'))).body?.cancel();
    await send(postJson('/trigger', { jobName: 'greet', labels: { org: '1' } }));
    await send(postJson('/trigger', { jobName: 'greet', labels: null }));
    expect(durably.calls.map(({ args }) => args[0])).toEqual([
      { status: ['running', 'failed'], labels: { org: '1', 'a.b/c': 'x&y' }, limit: 100, offset: 0 },
      { after: 5, jobNames: undefined, labels: { org: '', 7: ' ' } },
      { jobName: 'greet', input: {}, labels: { org: '1' } },
      { jobName: 'greet', input: {}, labels: undefined },
    ]);
  });

  it('answers a retrigger with the new run', async () => {
    const durably = fakeDurably();
    const response = await open(durably)(requestTo('/retrigger?runId=run_1', { method: 'POST' }));
    expect(await response.json()).toEqual({ success: true, runId: 'run_2' });
    expect(durably.calls).toEqual([{ method: 'retrigger', args: ['run_1'] }]);
  });

  it('reads the last event id from the header first, then from the query', async () => {
    const durably = fakeDurably();
    const send = open(durably);
    const header = { headers: { 'last-event-id': '9' } };
    await send(requestTo('/subscribe?runId=run_1&lastEventId=4', header));
    await send(requestTo('/subscribe?runId=run_1&lastEventId=4'));
    await send(requestTo('/subscribe?runId=run_1&lastEventId='));
    await send(requestTo('/subscribe?runId=run_1', { headers: { 'last-event-id': '' } }));
    expect(durably.calls.map(({ args }) => args[1])).toEqual([
      { after: 9 },
      { after: 4 },
      { after: undefined },
      { after: undefined },
    ]);
    const bad = await send(requestTo('/subscribe?runId=r', { headers: { 'last-event-id': 'abc' } }));
    expect(bad.status).toBe(400);
  });

  it('lists the issues of a job input that its schema refuses', async () => {
    const issues = [{ path: ['items', 0, 'id'], message: 'expected number' }];
    const send = open(failing(new ValidationError('Invalid input: items.0.id: expected number', issues)));
    const { status, body } = await readProblem(
      await send(postJson('/trigger', { jobName: 'greet', input: {} })),
    );
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: 'Invalid input: items.0.id: expected number', issues });
  });

  it('answers as usual when the error hook throws', async () => {
    const complaint = vi.spyOn(console, 'error').mockImplementation(() => {});
    const send = open(failing(new Error('x')), {
      onError: () => {
        throw new Error('hook');
      },
    });
    expect((await send(requestTo('/runs'))).status).toBe(500);
    expect(complaint).toHaveBeenCalled();
    complaint.mockRestore();
  });

  it('answers with a problem when onRequest fails', async () => {
    const onRequest = async () => {
      throw new DatabaseUnavailableError('locked');
    };
    expect((await open(fakeDurably(), { onRequest, ...silent })(requestTo('/runs'))).status).toBe(503);
  });
});

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
