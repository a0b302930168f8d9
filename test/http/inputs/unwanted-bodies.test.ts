import { Hono } from 'hono';
import { describe, expect, it, test } from 'vitest';
import { createApiKeys } from '../../../src/app/api-keys.ts';
import { createDurablyApp } from '../../../src/app/create-app.ts';
import type { Operation } from '../../../src/http/operation.ts';
import { operations } from '../../../src/http/operations/index.ts';
import { BASE, doors, pathOf, readProblem, requestTo } from '../doors.ts';
import { fakeDurably } from '../fake-durably.ts';

const withoutBody = operations.filter(({ method, input }) => method !== 'GET' && input.from === 'query');

describe.each(doors)('an unexpected body, through $door', ({ open }) => {
  const send = async (
    operation: Operation,
    body: BodyInit,
    { headers = {}, path = pathOf(operation, 'run_1') }: { headers?: HeadersInit; path?: string } = {},
  ) => {
    const durably = fakeDurably();
    const request = requestTo(path, { method: operation.method, body, headers });
    return { durably, response: await open(durably, { maxBodyBytes: 100 })(request) };
  };

  it.each(withoutBody)('is ignored by $method $path if it is empty', async (operation) => {
    for (const body of ['', ' \n', '{}', ' { } ']) {
      expect((await send(operation, body)).response.status).toBe(200);
    }
  });

  it.each(withoutBody)('is refused by $method $path with its contents named', async (operation) => {
    const { durably, response } = await send(operation, '{"reason":"x","runid":1}');
    const { status, body } = await readProblem(response);
    expect([status, body.code]).toEqual([400, 'VALIDATION']);
    expect(body.error).toBe(
      'Unknown member of the body "reason"; none is known here; Unknown member of the body "runid"; none is known here',
    );
    expect(body.issues).toMatchObject([{ path: ['reason'] }, { path: ['runid'] }]);
    expect(durably.calls).toEqual([]);
  });

  it.each(withoutBody)(
    'is answered by $method $path with the place where its members belong',
    async (operation) => {
      const [name = ''] = Object.keys(operation.input.schema.shape);
      const { durably, response } = await send(operation, JSON.stringify({ [name]: 'run_1' }), {
        path: operation.path,
      });
      const { status, body } = await readProblem(response);
      expect([status, body.error]).toEqual([
        400,
        `"${name}" is a query parameter: send it as ?${name}=… and not in the body`,
      ]);
      expect(durably.calls).toEqual([]);
    },
  );

  it.each(withoutBody)('has the usual limit at $method $path', async (operation) => {
    const refusals: [BodyInit, HeadersInit, number][] = [
      ['[]', {}, 400],
      ['null', {}, 400],
      ['runId=run_1', { 'content-type': 'application/x-www-form-urlencoded' }, 400],
      ['{}', { 'content-encoding': 'gzip' }, 415],
      [' '.repeat(101), {}, 413],
    ];
    for (const [body, headers, expected] of refusals) {
      const { durably, response } = await send(operation, body, { headers });
      expect([body, response.status]).toEqual([body, expected]);
      expect(durably.calls).toEqual([]);
    }
  });
});

test('is refused even if middleware has read it through Hono', async () => {
  const app = new Hono();
  app.use(async (c, next) => {
    await c.req.text();
    await next();
  });
  app.route('/', createDurablyApp(fakeDurably()));
  const post = (body: string) => app.request(`${BASE}/retry?runId=run_1`, { method: 'POST', body });
  expect((await post('{"runId":"run_2"}')).status).toBe(400);
  expect((await post('{}')).status).toBe(200);
  expect((await post('')).status).toBe(200);
});

describe('a ticket', async () => {
  const key = 'k'.repeat(16);
  const apiKeys = await createApiKeys([{ name: 'dashboard', key }]);
  const ask = async (init: RequestInit, query = '') => {
    const durably = fakeDurably({ getRun: async () => null });
    const app = createDurablyApp(durably, { apiKeys, maxBodyBytes: 100 });
    const headers = { ...init.headers, authorization: `Bearer ${key}` };
    return readProblem(
      await app.fetch(requestTo(`/stream-ticket${query}`, { ...init, method: 'POST', headers })),
    );
  };

  it('is valid for all runs only if no run was given', async () => {
    const { status, body } = await ask({ body: '{"runId":"run_1"}' });
    expect([status, body.error]).toEqual([
      400,
      '"runId" is a query parameter: send it as ?runId=… and not in the body',
    ]);
    for (const body of ['', '{}']) expect((await ask({ body })).status).toBe(200);
    expect((await ask({})).status).toBe(200);
    expect((await ask({ body: '{"a":1}' })).status).toBe(400);
    expect((await ask({ body: '{}', headers: { 'content-encoding': 'gzip' } })).status).toBe(415);
    expect((await ask({ body: ' '.repeat(101) })).status).toBe(413);
  });

  it('is not issued for a run that does not exist', async () => {
    const { status, body } = await ask({}, '?runId=nope');
    expect([status, body.error]).toEqual([404, 'Run not found']);
  });
});
