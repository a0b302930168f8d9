import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { DurablyAuth } from '../../../src/http/auth.ts';
import { createDurablyHandler } from '../../../src/http/create-handler.ts';
import { guardRun } from '../../../src/http/guard.ts';
import { jsonOperation } from '../../../src/http/operation.ts';
import { createPipeline } from '../../../src/http/pipeline.ts';
import { RequestError } from '../../../src/http/problem.ts';
import { doors, postJson, readProblem, requestTo, validRequest } from '../doors.ts';
import { fakeDurably, sampleRun } from '../fake-durably.ts';
import { type Ada, actsOf, ada, authenticate, onRuns, silent, throwing } from './ada.ts';

describe.each(doors)('through $door', ({ open }) => {
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
    expect(await (await send({ onRunAccess })).json()).toEqual({ runId: 'run_1', disposition: 'idempotent' });
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
