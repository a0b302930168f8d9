import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { ConflictError, NotFoundError } from '../../src/core/errors/errors.ts';
import type { RunFilter } from '../../src/core/run.ts';
import type { DurablyAuth } from '../../src/http/auth.ts';
import { createDurablyHandler } from '../../src/http/create-handler.ts';
import { guardRun } from '../../src/http/guard.ts';
import { jsonOperation, type Operation } from '../../src/http/operation.ts';
import { operations } from '../../src/http/operations/index.ts';
import { createPipeline } from '../../src/http/pipeline.ts';
import { RequestError } from '../../src/http/problem.ts';
import { BASE, doors, postJson, readProblem, requestTo, validRequest } from './doors.ts';
import { type FakeDurably, fakeDurably, sampleRun } from './fake-durably.ts';

interface Ada {
  readonly user: string;
}

const ada: Ada = { user: 'Ada' };
const authenticate = () => ada;
const silent = { onError: () => {} };

const onRuns = operations.filter(({ guard }) => guard.hook === 'onRunAccess');

/** The calls of the operation itself to the service, besides loading the run for a hook. */
const actsOf = (durably: FakeDurably, operation: { readonly name: string }) =>
  durably.calls
    .filter(({ method }) => method !== 'getRun' || operation.name === 'run')
    .map(({ method }) => method);

const refusals: readonly (readonly [string, unknown, number, string | null])[] = [
  ['a Response', new Response('no', { status: 418 }), 418, null],
  ['UNAUTHORIZED', new RequestError('UNAUTHORIZED', 'Who are you?'), 401, 'UNAUTHORIZED'],
  ['FORBIDDEN', new RequestError('FORBIDDEN', 'Not yours'), 403, 'FORBIDDEN'],
  ['an error of the engine', new NotFoundError('Run not found'), 404, 'NOT_FOUND'],
  ['anything else', new Error('secret'), 500, 'INTERNAL'],
  ['what is no error at all', undefined, 500, 'INTERNAL'],
];

const throwing = (thrown: unknown) => () => {
  throw thrown instanceof Response ? thrown.clone() : thrown;
};

describe('the table of operations', () => {
  it.each<Operation>(operations)(
    '$method $path is guarded by what its input says',
    ({ guard, input, method, name }) => {
      const takesRun = 'runId' in input.schema.shape;
      expect(guard.hook === 'onRunAccess').toBe(takesRun);
      if (guard.hook === 'onRunAccess') {
        expect(guard.runIdOf({ runId: 'run_9' })).toBe('run_9');
        expect(guard.operation).toBe(name === 'run' ? 'read' : name);
      }
      // An operation that shows many runs, or creates one, must never be open to every authenticated caller.
      if (method === 'GET') expect(guard.hook).not.toBe('authenticate');
      if (input.from === 'body') expect(guard.hook).toBe('onTrigger');
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
        const auth = { authenticate, onTrigger: refuse, onRunAccess: refuse, scopeRuns: refuse };
        const response = await open(durably, { ...silent, auth })(validRequest(operation));
        expect(response.status).toBe(status);
        if (code !== null) expect((await readProblem(response)).body).toMatchObject({ code, status });
        expect(durably.calls.filter(({ method }) => method !== 'getRun')).toEqual([]);
      },
    );
  });

  it.each(onRuns)('onRunAccess receives the run before $method $path', async (operation) => {
    const durably = fakeDurably();
    const onRunAccess = vi.fn(() => expect(actsOf(durably, { name: '' })).toEqual([]));
    const response = await open(durably, { auth: { authenticate, onRunAccess } })(validRequest(operation));
    await response.body?.cancel();
    const expected = operation.name === 'run' ? 'read' : operation.name;
    expect(onRunAccess).toHaveBeenCalledExactlyOnceWith(ada, sampleRun, { operation: expected });
    expect(durably.calls[0]).toEqual({ method: 'getRun', args: ['run_1'] });
    expect(actsOf(durably, operation).length).toBeGreaterThan(0);
  });

  it.each(onRuns)(
    '$method $path of an unknown run is 404 without a call of onRunAccess',
    async (operation) => {
      const onRunAccess = vi.fn();
      const durably = fakeDurably({ getRun: async () => null });
      const response = await open(durably, { auth: { authenticate, onRunAccess } })(validRequest(operation));
      expect((await readProblem(response)).body).toMatchObject({ code: 'NOT_FOUND', error: 'Run not found' });
      expect(onRunAccess).not.toHaveBeenCalled();
      expect(durably.calls.map(({ method }) => method)).toEqual(['getRun']);
    },
  );

  it('onTrigger receives the requested trigger', async () => {
    const onTrigger = vi.fn();
    const send = open(fakeDurably(), { auth: { authenticate, onTrigger } });
    await send(
      postJson('/trigger', { jobName: 'greet', input: [1], idempotencyKey: 'i', concurrencyKey: 'c' }),
    );
    expect(onTrigger).toHaveBeenCalledExactlyOnceWith(ada, {
      jobName: 'greet',
      input: [1],
      idempotencyKey: 'i',
      concurrencyKey: 'c',
    });
    await send(postJson('/trigger', { input: 1 }));
    expect(onTrigger).toHaveBeenCalledOnce();
  });

  it('scopeRuns receives the filter, and lists use the filter that it returns', async () => {
    const durably = fakeDurably();
    const scopeRuns = vi.fn(
      (_: unknown, filter: RunFilter): RunFilter => ({ ...filter, jobName: 'mine', limit: 5 }),
    );
    const send = open(durably, { auth: { authenticate, scopeRuns } });
    await send(requestTo('/runs?jobName=theirs&jobName=mine&status=failed&limit=7&offset=2'));
    expect(scopeRuns).toHaveBeenCalledExactlyOnceWith(ada, {
      jobName: ['theirs', 'mine'],
      status: ['failed'],
      limit: 7,
      offset: 2,
    });
    expect(durably.calls).toEqual([
      { method: 'getRuns', args: [{ jobName: ['mine'], status: ['failed'], limit: 5, offset: 2 }] },
    ]);
  });

  it('scopeRuns also narrows the stream of all runs, unless that has its own hook', async () => {
    const feedOf = async (auth: DurablyAuth<unknown>, query = '') => {
      const durably = fakeDurably();
      const response = await open(durably, { auth })(requestTo(`/runs/subscribe${query}`));
      expect(response.status).toBe(200);
      await response.body?.cancel();
      return durably.calls[0]?.args[0];
    };
    const scopeRuns = vi.fn(
      (_: unknown, filter: RunFilter): RunFilter => ({ ...filter, jobName: ['mine', 'ours'] }),
    );
    expect(await feedOf({ authenticate, scopeRuns }, '?jobName=theirs&lastEventId=4')).toEqual({
      after: 4,
      jobNames: ['mine', 'ours'],
    });
    expect(scopeRuns).toHaveBeenCalledExactlyOnceWith(ada, { jobName: ['theirs'] });
    const scopeRunsSubscribe = () => ({ jobName: 'streamed' });
    expect(await feedOf({ authenticate, scopeRuns, scopeRunsSubscribe })).toEqual({ jobNames: ['streamed'] });
  });

  it.each([{ jobName: [] }, { status: [] }, { jobName: ['mine'], status: [] }])(
    'a list narrowed to %j is empty',
    async (filter) => {
      const durably = fakeDurably();
      const response = await open(durably, { auth: { authenticate, scopeRuns: () => filter } })(
        requestTo('/runs'),
      );
      expect([response.status, await response.json()]).toEqual([200, []]);
      expect(durably.calls).toEqual([]);
    },
  );

  it('narrows lists and streams by labels', async () => {
    const durably = fakeDurably();
    const scopeRuns = vi.fn(() => ({ labels: { team: 'a' } }));
    const send = open(durably, { auth: { authenticate, scopeRuns } });
    await (await send(requestTo('/runs?label.team=b&limit=5'))).body?.cancel();
    await (await send(requestTo('/runs/subscribe?label.team=b'))).body?.cancel();
    expect(scopeRuns.mock.calls).toMatchObject([
      [ada, { labels: { team: 'b' } }],
      [ada, { labels: { team: 'b' } }],
    ]);
    expect(durably.calls).toEqual([
      { method: 'getRuns', args: [{ labels: { team: 'a' }, limit: 5, offset: 0 }] },
      { method: 'openRunListFeed', args: [{ labels: { team: 'a' } }] },
    ]);
  });

  it('a stream narrowed to no job reads no events', async () => {
    const durably = fakeDurably();
    const send = open(durably, { auth: { authenticate, scopeRuns: () => ({ jobName: [] }) } });
    await (await send(requestTo('/runs/subscribe'))).body?.cancel();
    expect(durably.calls).toEqual([{ method: 'openRunListFeed', args: [{ jobNames: [] }] }]);
  });

  it.each([
    ['/runs', { team: 'a' }],
    ['/runs/subscribe', { status: 'failed' }],
    ['/runs/subscribe', { team: 'a' }],
    ['/runs', undefined],
    ['/runs', null],
    ['/runs', 'mine'],
  ])("GET %s shows nothing when scopeRuns returns %j, which it can't apply", async (path, filter) => {
    const durably = fakeDurably();
    const onError = vi.fn();
    const scopeRuns = () => filter as RunFilter;
    const response = await open(durably, { onError, auth: { authenticate, scopeRuns } })(requestTo(path));
    expect(response.status).toBe(500);
    expect(String(onError.mock.calls[0]?.[0])).toContain('scopeRuns');
    expect(durably.calls).toEqual([]);
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

  it('answers an error after the hooks as usual', async () => {
    const conflict = async () => {
      throw new ConflictError('Cannot cancel a completed run');
    };
    const send = open(fakeDurably({ cancel: conflict }), { auth: { authenticate, onRunAccess: () => {} } });
    expect((await send(requestTo('/cancel?runId=run_1', { method: 'POST' }))).status).toBe(409);
  });
});

describe('an existing run of an idempotency key', () => {
  const existing = () =>
    fakeDurably({
      triggerForId: async () => ({ runId: sampleRun.id, toRun: () => sampleRun, disposition: 'idempotent' }),
    });
  const send = (auth: Partial<DurablyAuth<Ada>>, durably = existing()) =>
    createDurablyHandler(durably, { auth: { authenticate, ...auth } }).trigger(
      postJson('/trigger', { jobName: 'greet', idempotencyKey: 'order-7' }),
    );

  it('is shown only to callers that onRunAccess allows', async () => {
    const onRunAccess = vi.fn();
    expect(await (await send({ onRunAccess })).json()).toEqual({ runId: 'run_1' });
    expect(onRunAccess).toHaveBeenCalledExactlyOnceWith(ada, sampleRun, { operation: 'trigger' });
    const refused = await send({ onRunAccess: throwing(new RequestError('FORBIDDEN', 'Not yours')) });
    expect(refused.status).toBe(403);
    expect(await refused.text()).not.toContain('run_1');
  });

  it('needs no onRunAccess when it is new', async () => {
    const onRunAccess = vi.fn();
    expect((await send({ onRunAccess }, fakeDurably())).status).toBe(200);
    expect(onRunAccess).not.toHaveBeenCalled();
  });

  it('belongs to the caller if a hook scopes keys', async () => {
    const durably = fakeDurably();
    expect((await send({ scopeKeys: ({ user }) => user }, durably)).status).toBe(200);
    expect(durably.calls[0]).toMatchObject({
      method: 'triggerForId',
      args: [{ jobName: 'greet', idempotencyKey: 'order-7', keyScope: 'Ada' }],
    });
    for (const scope of ['', 'a'.repeat(257), 'a\u001fb', undefined]) {
      const handler = createDurablyHandler(fakeDurably(), {
        ...silent,
        auth: { authenticate, scopeKeys: () => scope as string },
      });
      expect((await handler.trigger(postJson('/trigger', { jobName: 'greet' }))).status).toBe(500);
    }
  });
});

describe('an operation that creates a new run from another', () => {
  const again = jsonOperation({
    name: 'again',
    method: 'POST',
    path: '/again',
    summary: 'Trigger the like of a run',
    effect: 'trigger',
    guard: {
      ...guardRun('retrigger'),
      triggerOf: ({ jobName, payload }) => ({ jobName, input: payload }),
    },
    input: { from: 'query', schema: z.object({ runId: z.string() }) },
    output: z.object({}),
    refusals: [],
    act: async () => ({}),
  });

  const send = async (auth: Partial<DurablyAuth<Ada>>) => {
    const pipeline = createPipeline(fakeDurably(), { auth: { authenticate, ...auth } });
    return (
      await pipeline({ request: requestTo('/again?runId=run_1', { method: 'POST' }), select: () => again })
    ).status;
  };

  it('asks for access to the run and for the trigger', async () => {
    const onRunAccess = vi.fn();
    const onTrigger = vi.fn();
    expect(await send({ onRunAccess, onTrigger })).toBe(200);
    expect(onRunAccess).toHaveBeenCalledExactlyOnceWith(ada, sampleRun, { operation: 'retrigger' });
    expect(onTrigger).toHaveBeenCalledExactlyOnceWith(ada, { jobName: 'greet', input: { name: 'Ada' } });
  });

  it('is refused if either hook refuses', async () => {
    const refuse = throwing(new RequestError('FORBIDDEN', 'Not yours'));
    expect(await send({ onRunAccess: refuse })).toBe(403);
    expect(await send({ onTrigger: refuse })).toBe(403);
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
