import { describe, expect, it } from 'vitest';
import { DatabaseUnavailableError, ValidationError } from '../../src/core/errors/errors.ts';
import {
  RateLimitedError,
  ServiceError,
  ServiceUnavailableError,
} from '../../src/core/errors/service-errors.ts';
import { rejectionOf } from '../support/runs.ts';
import { until } from '../support/until.ts';
import { problem, StandIn } from './stand-in.ts';

const broken = () => new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });

describe('a read', () => {
  it('is sent again after a broken connection and a 503, later each time, and not before the service wants', async () => {
    const service = new StandIn();
    const runs = service.client.getRuns();
    (await service.next()).fail(broken());
    expect(await service.untilNext()).toBe(250);
    (await service.next()).answer(problem(503, 'DATABASE_UNAVAILABLE'));
    expect(await service.untilNext()).toBe(500);
    (await service.next()).answer(problem(503, 'DRAINING', { 'retry-after': '5' }));
    expect(await service.untilNext()).toBeGreaterThanOrEqual(5_000);
    (await service.next()).answer(Response.json([]));
    expect(await runs).toEqual([]);
  });

  it('is sent again when the answer broke off half way', async () => {
    const service = new StandIn();
    const runs = service.client.getRuns();
    const half = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('[{"id"'));
        controller.error(new TypeError('terminated'));
      },
    });
    (await service.next()).answer(new Response(half, { headers: { 'content-type': 'application/json' } }));
    await service.untilNext();
    (await service.next()).answer(new Response('[{"i', { headers: { 'content-type': 'application/json' } }));
    await service.untilNext();
    (await service.next()).answer(Response.json([]));
    expect(await runs).toEqual([]);
  });

  it('is given up after five tries, with what the last one met', async () => {
    const service = new StandIn();
    const rejected = rejectionOf(service.client.getRuns());
    for (let tries = 1; tries < 5; tries++) {
      (await service.next()).fail(broken());
      await service.untilNext();
    }
    (await service.next()).answer(problem(503, 'DATABASE_UNAVAILABLE'));
    expect(await rejected).toBeInstanceOf(DatabaseUnavailableError);
  });

  it('says why the service could not be reached', async () => {
    const service = new StandIn();
    const rejected = rejectionOf(service.client.getRuns());
    for (let tries = 1; tries < 5; tries++) {
      (await service.next()).fail(broken());
      await service.untilNext();
    }
    (await service.next()).fail(broken());
    const error = await rejected;
    expect(error).toBeInstanceOf(ServiceUnavailableError);
    expect(error.message).toBe('GET http://service/api/durably/runs failed: connect ECONNREFUSED');
  });

  it.each([
    [400, 'VALIDATION', ValidationError],
    [429, 'RATE_LIMITED', RateLimitedError],
    [500, 'INTERNAL', ServiceError],
  ])('is not sent again after %s', async (status, code, kind) => {
    const service = new StandIn();
    const rejected = rejectionOf(service.client.getRuns());
    (await service.next()).answer(problem(status, code, { 'retry-after': '7', 'x-request-id': 'r1' }));
    expect(await rejected).toBeInstanceOf(kind);
    if (kind === RateLimitedError) expect(await rejected).toMatchObject({ retryAfter: 7_000 });
    if (kind === ServiceError) expect(await rejected).toMatchObject({ status: 500, requestId: 'r1' });
    expect(service.clock.pendingMs).toEqual([]);
  });

  it('is sent again when no answer began within 30 s, also if the computer slept', async () => {
    const service = new StandIn();
    const runs = service.client.getRuns();
    const first = await service.next();
    service.clock.standStill(3_600_000);
    service.clock.advance(5_000);
    await service.untilNext();
    expect(first.signal.aborted).toBe(true);
    (await service.next()).answer(Response.json([]));
    expect(await runs).toEqual([]);
  });

  it('is sent again when its answer falls silent half way for 30 s', async () => {
    const service = new StandIn();
    const runs = service.client.getRuns();
    const first = await service.next();
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    let reads = 0;
    const source: UnderlyingDefaultSource<Uint8Array> = {
      start: (given) => {
        controller = given;
      },
      pull: () => void reads++,
    };
    const body = new ReadableStream<Uint8Array>(source, { highWaterMark: 0 });
    first.answer(new Response(body, { headers: { 'content-type': 'application/json' } }));
    await until(() => reads === 1, 'a read');
    service.clock.advance(29_000);
    controller?.enqueue(new TextEncoder().encode('['));
    await until(() => reads === 2, 'another read');
    service.clock.advance(29_000);
    expect(first.signal.aborted).toBe(false);
    service.clock.advance(1_000);
    await service.untilNext();
    expect(first.signal.aborted).toBe(true);
    (await service.next()).answer(Response.json([]));
    expect(await runs).toEqual([]);
  });

  it('ends at once when its signal aborts, while it is sent and between two tries', async () => {
    const service = new StandIn();
    const stop = new AbortController();
    const rejected = rejectionOf(service.client.getRuns({}, { signal: stop.signal }));
    const request = await service.next();
    const other = rejectionOf(service.client.getRuns({}, { signal: stop.signal }));
    (await service.next()).fail(broken());
    await until(() => service.clock.pendingMs.includes(250));
    stop.abort(new Error('enough'));
    expect((await rejected).message).toBe('enough');
    expect((await other).message).toBe('enough');
    expect(request.signal.aborted).toBe(true);
    expect(service.clock.pendingMs).toEqual([]);
  });

  it('waits between half and all of its time, by chance', async () => {
    for (const [random, ms] of [
      [0, 125],
      [0.5, 187.5],
      [1, 250],
    ] as const) {
      const service = new StandIn({ random: () => random });
      service.client.getRuns().catch(() => undefined);
      (await service.next()).fail(broken());
      expect(await service.untilNext()).toBe(ms);
    }
  });
});

describe('a trigger', () => {
  const triggered = (disposition: string) => Response.json({ runId: 'run_1', disposition });

  it('is sent again with the same key, which is made unless given', async () => {
    const service = new StandIn();
    const answer = service.client.trigger('greet', {});
    const first = await service.next();
    first.fail(broken());
    await service.untilNext();
    const second = await service.next();
    expect(second.body).toBe(first.body);
    expect(JSON.parse(first.body).idempotencyKey).toMatch(/^client-[0-9a-f]{32}$/);
    // The first one was stored, and its answer was lost.
    second.answer(triggered('idempotent'));
    expect(await answer).toEqual({ runId: 'run_1', disposition: 'created' });
    const given = service.client.trigger('greet', {}, { idempotencyKey: 'mine' });
    const request = await service.next();
    expect(JSON.parse(request.body).idempotencyKey).toBe('mine');
    request.answer(triggered('idempotent'));
    expect(await given).toEqual({ runId: 'run_1', disposition: 'idempotent' });
  });

  it('of a batch gives each run a key of its own', async () => {
    const service = new StandIn();
    const answer = service.client.batchTrigger([
      { jobName: 'greet' },
      { jobName: 'greet', idempotencyKey: 'k' },
    ]);
    const request = await service.next();
    const keys = JSON.parse(request.body).runs.map((run: { idempotencyKey: string }) => run.idempotencyKey);
    expect(keys).toEqual([expect.stringMatching(/^client-/), 'k']);
    request.fail(broken());
    await service.untilNext();
    const runs = ['run_1', 'run_2'].map((runId) => ({ runId, disposition: 'idempotent' }));
    (await service.next()).answer(Response.json({ runs }));
    expect((await answer).map(({ disposition }) => disposition)).toEqual(['created', 'idempotent']);
  });
});

it.each([
  ['cancel', (service: StandIn) => service.client.cancel('run_1')],
  ['retry', (service: StandIn) => service.client.retry('run_1')],
  ['retrigger', (service: StandIn) => service.client.retrigger('run_1')],
  ['fireSchedule', (service: StandIn) => service.client.fireSchedule('nightly')],
] as const)('%s is not sent again, because it may have been done', async (_, call) => {
  const service = new StandIn();
  const rejected = rejectionOf(call(service));
  (await service.next()).fail(broken());
  expect(await rejected).toBeInstanceOf(ServiceUnavailableError);
  expect(service.requests).toHaveLength(1);
});
