import { describe, expect, it, vi } from 'vitest';
import { ConflictError } from '../../../src/core/errors/errors.ts';
import type { RunFilter } from '../../../src/core/lists/run-query.ts';
import type { DurablyAuth } from '../../../src/http/auth.ts';
import { createDurablyHandler } from '../../../src/http/create-handler.ts';
import type { Operation } from '../../../src/http/operation.ts';
import { operations } from '../../../src/http/operations/index.ts';
import { RequestError } from '../../../src/http/problem.ts';
import { BASE, doors, postJson, readProblem, requestTo, validRequest } from '../doors.ts';
import { fakeDurably } from '../fake-durably.ts';
import { ada, authenticate, refusals, silent, throwing } from './ada.ts';

describe('the table of operations', () => {
  it.each<Operation>(operations)(
    '$method $path is guarded by what its input says',
    ({ guard, input, method, name, effect }) => {
      const takesRun = 'runId' in input.schema.shape;
      expect(guard.hook === 'onRunAccess').toBe(takesRun);
      if (guard.hook === 'onRunAccess') {
        expect(guard.runIdOf({ runId: 'run_9' })).toBe('run_9');
        expect(guard.operation).toBe(name === 'run' ? 'read' : name);
      }
      // An operation that shows many runs, or creates one, must never be open to every authenticated caller.
      if (method === 'GET') expect(guard.hook).not.toBe('authenticate');
      if (input.from === 'body') expect(guard.hook).toBe(effect === 'trigger' ? 'onTrigger' : 'scopeRuns');
    },
  );

  it('has a different operation name for each guarded operation', () => {
    const names = operations.flatMap(({ guard }) => (guard.hook === 'onRunAccess' ? [guard.operation] : []));
    expect(new Set(names).size).toBe(names.length);
  });
});

describe.each(doors)('through $door', ({ open }) => {
  describe.each(operations)('$method $path', (operation) => {
    it.each(refusals)('authenticate refuses with %s', async (_, thrown, status, code) => {
      const durably = fakeDurably();
      const send = open(durably, { ...silent, auth: { authenticate: throwing(thrown) } });
      // The caller does not even learn that its input is invalid.
      const response = await send(requestTo(operation.path, { method: operation.method }));
      expect(response.status).toBe(status);
      const text = await response.text();
      if (code !== null) expect(JSON.parse(text)).toMatchObject({ code, status });
      expect(text).not.toContain('secret');
      expect(response.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null);
      expect(durably.calls).toEqual([]);
    });

    it('authenticate receives the request once, after onRequest, before the body is read', async () => {
      const order: string[] = [];
      const send = open(fakeDurably(), {
        onRequest: () => void order.push('onRequest'),
        auth: {
          authenticate: (request) => {
            expect(request.bodyUsed).toBe(false);
            order.push(`authenticate ${request.method}`);
          },
        },
      });
      const response = await send(validRequest(operation));
      expect(response.status).toBe(200);
      await response.body?.cancel();
      expect(order).toEqual(['onRequest', `authenticate ${operation.method}`]);
    });

    it('a Response that authenticate returns is a refusal too', async () => {
      const durably = fakeDurably();
      const send = open(durably, { auth: { authenticate: () => new Response('log in', { status: 401 }) } });
      const response = await send(validRequest(operation));
      expect([response.status, await response.text()]).toEqual([401, 'log in']);
      expect(durably.calls).toEqual([]);
    });

    it('calls only the hook of the operation, and also onTrigger if it creates a run', async () => {
      const hooks = {
        onTrigger: vi.fn(),
        onRunAccess: vi.fn(),
        onManage: vi.fn(),
        scopeRuns: vi.fn((_: unknown, filter: RunFilter) => filter),
        scopeRunsSubscribe: vi.fn((_: unknown, filter: RunFilter) => filter),
      };
      const response = await open(fakeDurably(), { auth: { authenticate, ...hooks } })(
        validRequest(operation),
      );
      expect(response.status).toBe(200);
      await response.body?.cancel();
      const asked = Object.entries(hooks).flatMap(([name, hook]) =>
        hook.mock.calls.length > 0 ? [name] : [],
      );
      const { hook } = operation.guard;
      const isRetrigger = 'triggerOf' in operation.guard;
      expect(asked).toEqual([
        ...(isRetrigger ? ['onTrigger'] : []),
        ...(hook === 'authenticate' ? [] : [hook]),
      ]);
      for (const hook of Object.values(hooks))
        for (const [context] of hook.mock.calls) expect(context).toBe(ada);
    });

    it.runIf(operation.guard.hook !== 'authenticate').each(refusals)(
      'does nothing if its hook refuses with %s',
      async (_, thrown, status, code) => {
        const durably = fakeDurably();
        const refuse = throwing(thrown);
        const auth = {
          authenticate,
          onTrigger: refuse,
          onRunAccess: refuse,
          onManage: refuse,
          scopeRuns: refuse,
        };
        const response = await open(durably, { ...silent, auth })(validRequest(operation));
        expect(response.status).toBe(status);
        if (code !== null) expect((await readProblem(response)).body).toMatchObject({ code, status });
        expect(durably.calls.filter(({ method }) => method !== 'getRun')).toEqual([]);
      },
    );
  });

  it('without further hooks every authenticated caller may do everything, without extra queries', async () => {
    for (const operation of operations) {
      const durably = fakeDurably();
      const response = await open(durably, { auth: { authenticate } })(validRequest(operation));
      expect(response.status).toBe(200);
      await response.body?.cancel();
      expect(durably.calls).toHaveLength(1);
    }
  });

  it('refuses to change a job for all callers where another hook keeps callers apart and none allows it', async () => {
    const managing = operations.filter(({ guard }) => guard.hook === 'onManage');
    expect(managing.length).toBeGreaterThan(0);
    for (const operation of managing) {
      const durably = fakeDurably();
      const auth = { authenticate, scopeRuns: (_: unknown, filter: RunFilter) => filter };
      const { status, body } = await readProblem(await open(durably, { auth })(validRequest(operation)));
      expect([status, body]).toMatchObject([
        403,
        { code: 'FORBIDDEN', detail: 'This needs the hook onManage' },
      ]);
      expect(durably.calls).toEqual([]);
    }
  });

  it('answers an error after the hooks as usual', async () => {
    const conflict = async () => {
      throw new ConflictError('Cannot cancel a completed run');
    };
    const send = open(fakeDurably({ cancel: conflict }), { auth: { authenticate, onRunAccess: () => {} } });
    expect((await send(requestTo('/cancel?runId=run_1', { method: 'POST' }))).status).toBe(409);
  });
});

describe('auth that would let everyone in by mistake', () => {
  it.each([
    [{}, 'auth.authenticate must be a function'],
    [{ authenticate: 'token' }, 'auth.authenticate must be a function'],
    [{ authenticate, onRunAcces: () => {} }, 'auth.onRunAcces must be one of the functions'],
    [{ authenticate, onTrigger: true }, 'auth.onTrigger must be one of the functions'],
  ])('is refused: %j', (auth, message) => {
    expect(() => createDurablyHandler(fakeDurably(), { auth: auth as DurablyAuth<unknown> })).toThrow(
      message,
    );
  });
});

it('passes hooks the typed result of authenticate', async () => {
  const orgs: string[] = [];
  const handler = createDurablyHandler(fakeDurably(), {
    auth: {
      authenticate: async (request) => ({ org: request.headers.get('x-org') ?? 'none' }),
      onTrigger: ({ org }) => void orgs.push(org),
      onRunAccess: (context, run, { operation }) => void orgs.push(context.org, run.id, operation),
      scopeRuns: async ({ org }, filter) => ({ ...filter, jobName: org }),
    },
  });
  await handler.trigger(postJson('/anywhere', { jobName: 'greet' }));
  await handler.cancel(requestTo('/anywhere?runId=run_1', { headers: { 'x-org': 'acme' } }));
  expect(orgs).toEqual(['none', 'acme', 'run_1', 'cancel']);
});

describe('handle()', () => {
  it.each([
    ['GET', '/nothing', 404],
    ['GET', '/trigger', 405],
  ])('does not tell unknown callers that %s %s does not exist', async (method, path, status) => {
    const request = () => requestTo(path, { method });
    const closed = createDurablyHandler(fakeDurably(), {
      auth: { authenticate: throwing(new RequestError('UNAUTHORIZED', 'Who?')) },
    });
    expect((await closed.handle(request(), BASE)).status).toBe(401);
    const opened = createDurablyHandler(fakeDurably(), { auth: { authenticate } });
    expect((await opened.handle(request(), BASE)).status).toBe(status);
  });
});
