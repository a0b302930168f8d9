import { describe, expect, it } from 'vitest';
import type { ConnectionState } from '../../src/client/event-stream.ts';
import { NotFoundError } from '../../src/core/errors/errors.ts';
import {
  ServiceError,
  ServiceUnavailableError,
  UnauthorizedError,
} from '../../src/core/errors/service-errors.ts';
import { rejectionOf } from '../support/runs.ts';
import { until } from '../support/until.ts';
import { collect } from './service.ts';
import { frameOf, problem, RETRY_LINE, StandIn } from './stand-in.ts';

const broken = () => new TypeError('fetch failed');
const over = () => new Response(null, { status: 204 });

describe('the events of a run', () => {
  it('come once each, through broken and closed connections, and end with the run', async () => {
    const service = new StandIn();
    const events = collect(service.client.run('run_1').events());
    const first = await service.nextStream();
    expect([first.request.path, first.request.headers.get('last-event-id')]).toEqual([
      '/subscribe?runId=run_1',
      null,
    ]);
    first.write(`${RETRY_LINE}${frameOf(5, 'run:trigger')}${frameOf(7, 'run:start')}id: 9\ndata: {"ty`);
    await first.untilRead();
    first.break();
    await service.untilNext();
    const second = await service.nextStream();
    expect(second.request.headers.get('last-event-id')).toBe('7');
    second.write(`${RETRY_LINE}${frameOf(9, 'step:start')}`);
    await second.untilRead();
    second.close();
    await service.untilNext();
    const third = await service.nextStream();
    expect(third.request.headers.get('last-event-id')).toBe('9');
    third.write(`${frameOf(12, 'run:complete')}`);
    third.close();
    expect((await events).map(({ sequence }) => sequence)).toEqual([5, 7, 9, 12]);
    expect(service.requests).toHaveLength(3);
  });

  it('go on after a failure that was retried, and end when the service says so', async () => {
    const service = new StandIn();
    const events = collect(service.client.run('run_1').events({ after: 3 }));
    const first = await service.nextStream();
    expect(first.request.headers.get('last-event-id')).toBe('3');
    first.write(frameOf(5, 'run:fail'));
    first.close();
    // Asked again at once: no time passes.
    const second = await service.nextStream();
    second.write(frameOf(6, 'run:retry') + frameOf(7, 'run:cancel'));
    second.close();
    (await service.next()).answer(over());
    expect((await events).map(({ type }) => type)).toEqual(['run:fail', 'run:retry', 'run:cancel']);
  });

  it('are resumed when nothing was heard for 45 s, not even a comment', async () => {
    const service = new StandIn();
    const states: ConnectionState[] = [];
    const onConnection = (state: ConnectionState) => void states.push(state);
    const events = collect(service.client.run('run_1').events({ onConnection }));
    const first = await service.nextStream();
    first.write(RETRY_LINE + frameOf(5, 'run:start'));
    await first.untilRead();
    for (let comments = 0; comments < 6; comments++) {
      service.clock.advance(15_000);
      first.write(': keep-alive\n\n');
      await first.untilRead();
    }
    expect(states.map(({ kind }) => kind)).toEqual(['open']);
    service.clock.advance(45_000);
    await until(() => states.length === 2);
    expect(states[1]).toMatchObject({ kind: 'lost', retryInMs: 1_000 });
    expect(first.request.signal.aborted).toBe(true);
    await service.untilNext();
    const second = await service.nextStream();
    second.write(frameOf(6, 'run:complete'));
    second.close();
    expect((await events).map(({ sequence }) => sequence)).toEqual([5, 6]);
    expect(states.map(({ kind }) => kind)).toEqual(['open', 'lost', 'open']);
  });

  it('are resumed within seconds after the computer has slept', async () => {
    const service = new StandIn();
    const events = collect(service.client.run('run_1').events());
    const first = await service.nextStream();
    first.write(RETRY_LINE);
    await first.untilRead();
    service.clock.standStill(8 * 3_600_000);
    await service.untilNext();
    (await service.next()).answer(over());
    expect(await events).toEqual([]);
  });

  it('do not take a slow reader for a dead connection', async () => {
    const service = new StandIn();
    const events = service.client.run('run_1').events();
    const next = events.next();
    const stream = await service.nextStream();
    stream.write(frameOf(5, 'run:start') + frameOf(6, 'step:start'));
    expect((await next).value).toMatchObject({ sequence: 5 });
    service.clock.advance(600_000);
    expect((await events.next()).value).toMatchObject({ sequence: 6 });
    await events.return?.();
    expect(stream.request.signal.aborted).toBe(true);
    expect(service.clock.pendingMs).toEqual([]);
  });

  it('are asked for later and later, at most every 15 s, and sooner again after an event', async () => {
    const service = new StandIn();
    const events = service.client.run('run_1').events();
    const first = events.next();
    (await service.nextStream()).write(frameOf(1, 'run:start'));
    await first;
    const second = events.next();
    await until(() => service.clock.pendingMs.length === 1);
    service.clock.advance(45_000);
    const pauses: number[] = [];
    for (let failures = 1; failures <= 7; failures++) {
      pauses.push(await service.untilNext());
      (await service.next()).answer(problem(502, 'BAD'));
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    await service.untilNext();
    const stream = await service.nextStream();
    stream.write(frameOf(2, 'step:start'));
    expect((await second).value).toMatchObject({ sequence: 2 });
    const third = events.next();
    stream.break();
    expect(await service.untilNext()).toBe(1_000);
    (await service.next()).answer(over());
    expect((await third).done).toBe(true);
  });

  it('wait as long as a busy service asks', async () => {
    const service = new StandIn();
    const events = collect(service.client.run('run_1').events());
    (await service.next()).answer(problem(429, 'RATE_LIMITED', { 'retry-after': '20' }));
    expect(await service.untilNext()).toBeGreaterThanOrEqual(20_000);
    (await service.next()).answer(over());
    expect(await events).toEqual([]);
  });

  it.each([
    [401, 'UNAUTHORIZED', UnauthorizedError],
    [404, 'NOT_FOUND', NotFoundError],
  ])('end with an error that no later try mends: %s, also after a break', async (status, code, kind) => {
    const service = new StandIn();
    const events = rejectionOf(collect(service.client.run('run_1').events()));
    (await service.next()).answer(problem(status, code));
    expect(await events).toBeInstanceOf(kind);
    const later = rejectionOf(collect(service.client.run('run_1').events()));
    const stream = await service.nextStream();
    stream.break();
    await service.untilNext();
    (await service.next()).answer(problem(status, code));
    expect(await later).toBeInstanceOf(kind);
  });

  it('end with an error if what answers is no stream of events', async () => {
    const service = new StandIn();
    const page = rejectionOf(collect(service.client.run('run_1').events()));
    (await service.next()).answer(new Response('<html>', { headers: { 'content-type': 'text/html' } }));
    expect(await page).toBeInstanceOf(ServiceError);
    const other = rejectionOf(collect(service.client.run('run_1').events()));
    (await service.nextStream()).write('data: hello\n\n');
    expect(await other).toBeInstanceOf(ServiceError);
  });

  it('are given up after five tries if there never was a connection', async () => {
    const service = new StandIn();
    const events = rejectionOf(collect(service.client.run('run_1').events()));
    for (let tries = 1; tries < 5; tries++) {
      (await service.next()).fail(broken());
      await service.untilNext();
    }
    (await service.next()).fail(broken());
    expect(await events).toBeInstanceOf(ServiceUnavailableError);
  });

  it('end at once when the signal aborts: while connecting, reading and pausing', async () => {
    for (const reach of [
      (service: StandIn) => service.next(),
      (service: StandIn) => service.nextStream(),
      async (service: StandIn) => {
        (await service.nextStream()).break();
        await until(() => service.clock.pendingMs.includes(1_000));
      },
    ]) {
      const service = new StandIn();
      const stop = new AbortController();
      const events = rejectionOf(collect(service.client.run('run_1').events({ signal: stop.signal })));
      await reach(service);
      stop.abort(new Error('enough'));
      expect((await events).message).toBe('enough');
      await until(() => service.clock.pendingMs.length === 0, 'all timers to be gone');
      expect(service.requests[0]?.signal.aborted).toBe(true);
    }
  });
});

describe('the events of all runs', () => {
  it('miss none between the opening and the first event', async () => {
    const service = new StandIn();
    const events = service.client.events({ jobName: ['greet', 'wait'], labels: { org: '1' } });
    const next = events.next();
    const first = await service.nextStream();
    expect(first.request.path).toBe('/runs/subscribe?jobName=greet&jobName=wait&label.org=1');
    first.write(`${RETRY_LINE}id: 24\n\n`);
    await first.untilRead();
    first.break();
    await service.untilNext();
    const second = await service.nextStream();
    expect(second.request.headers.get('last-event-id')).toBe('24');
    second.write(frameOf(25, 'run:complete'));
    expect((await next).value).toMatchObject({ sequence: 25 });
    await events.return?.();
  });

  it('do not end with the end of a run', async () => {
    const service = new StandIn();
    const events = service.client.events();
    const next = events.next();
    const stream = await service.nextStream();
    stream.write(frameOf(25, 'run:complete'));
    await next;
    const second = events.next();
    stream.close();
    await service.untilNext();
    (await service.nextStream()).write(frameOf(26, 'run:trigger'));
    expect((await second).value).toMatchObject({ sequence: 26 });
    await events.return?.();
  });
});
