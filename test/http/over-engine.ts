import { describe, expect, it } from 'vitest';
import { operations } from '../../src/http/operations/index.ts';
import { pathOf, postJson, readProblem, requestTo, type Send } from './doors.ts';

/** A service for one test, on an empty database, with the suite's jobs. */
export interface StartedService {
  readonly send: Send;
  /** Lets the job `wait` continue. */
  readonly openGate: () => void;
}

export interface Frame {
  readonly id: string | undefined;
  readonly data: { type: string; sequence: number; runId: string; [field: string]: unknown } | undefined;
  readonly text: string;
}

function toFrame(text: string): Frame {
  const data = /^data: (.*)$/m.exec(text)?.[1];
  return { id: /^id: (.*)$/m.exec(text)?.[1], data: data === undefined ? undefined : JSON.parse(data), text };
}

/** The frames of a stream, to its end or until `until` is fulfilled. */
export async function framesOf(
  response: Response,
  until: (frame: Frame) => boolean = () => false,
): Promise<Frame[]> {
  expect(response.status).toBe(200);
  const frames: Frame[] = [];
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of response.body ?? []) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split('\n\n');
    rest = parts.pop() ?? '';
    frames.push(...parts.filter((part) => !part.startsWith(':')).map(toFrame));
    if (frames.some(until)) break;
  }
  expect(rest).toBe('');
  return frames;
}

export const typesOf = (frames: readonly Frame[]) =>
  frames.flatMap(({ data }) => (data === undefined ? [] : [data.type]));

/** The tests for every way to reach a running service. */
export function overEngine(door: string, startService: () => Promise<StartedService>): void {
  describe(`over a real engine, through ${door}`, () => defineTests(startService));
}

function client(send: Send) {
  const get = (path: string, init?: RequestInit) => send(requestTo(path, init));
  const trigger = async (jobName: string, more: object = {}): Promise<string> => {
    const response = await send(postJson('/trigger', { jobName, ...more }));
    const body = await response.json();
    expect(response.status, JSON.stringify(body)).toBe(200);
    expect(Object.keys(body)).toEqual(['runId']);
    return body.runId;
  };
  /** Triggers a run and waits for its end on its stream. */
  const runToEnd = async (jobName: string, more: object = {}) => {
    const runId = await trigger(jobName, more);
    return { runId, frames: await framesOf(await get(`/subscribe?runId=${runId}`)) };
  };
  const readRun = async (runId: string) => (await get(`/run?runId=${runId}`)).json();
  const command = (method: string, path: string, runId: string) =>
    send(requestTo(`${path}?runId=${runId}`, { method }));
  return { send, get, trigger, runToEnd, readRun, command };
}

function defineTests(startService: () => Promise<StartedService>): void {
  const start = async () => {
    const started = await startService();
    return { ...started, ...client(started.send) };
  };

  it('a triggered run can be followed, read and listed', async () => {
    const { get, runToEnd, readRun } = await start();
    const { runId, frames } = await runToEnd('greet', { input: { name: 'Ada' } });
    expect(runId).toMatch(/^run_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(frames[0]?.text).toBe('retry: 1000');
    expect(typesOf(frames)).toEqual([
      'run:trigger',
      'run:start',
      'run:progress',
      'step:start',
      'log:write',
      'step:complete',
      'log:write',
      'run:complete',
    ]);
    for (const { id, data, text } of frames.slice(1)) {
      expect(text.split('\n')).toHaveLength(2);
      expect(id).toBe(String(data?.sequence));
      expect(data).toMatchObject({ runId, jobName: 'greet' });
    }
    expect(await readRun(runId)).toMatchObject({
      id: runId,
      status: 'completed',
      payload: { name: 'Ada', loud: false },
      output: { text: 'Hello Ada' },
      stepCount: 1,
      progress: { current: 1, total: 2, message: 'composing' },
    });
    const steps = await (await get(`/steps?runId=${runId}`)).json();
    expect(steps).toMatchObject([
      { name: 'compose', index: 0, status: 'completed', output: 'Hello Ada', error: null },
    ]);
    const logs = await (await get(`/logs?runId=${runId}`)).json();
    expect(logs).toMatchObject([
      { stepName: 'compose', level: 'info', message: 'composing', data: { name: 'Ada' } },
      { stepName: null, level: 'warn', message: 'done', data: null },
    ]);
    const after = await (await get(`/logs?runId=${runId}&after=${logs[0].sequence}`)).json();
    expect(after).toEqual(logs.slice(1));
    expect(await (await get(`/logs?runId=${runId}&level=info&limit=5`)).json()).toEqual(logs.slice(0, 1));
    expect(await (await get('/runs')).json()).toEqual([await readRun(runId)]);
  });

  it('every answer has the declared form', async () => {
    const { get, runToEnd } = await start();
    const { runId, frames } = await runToEnd('greet', { input: { name: 'Ada' } });
    for (const operation of operations.filter(({ method }) => method === 'GET')) {
      if (operation.answers === 'json') {
        const body = await (await get(pathOf(operation, runId))).json();
        expect(operation.output.safeParse(body).error).toBeUndefined();
      } else if (operation.name === 'subscribe') {
        for (const { data } of frames.slice(1))
          expect(operation.output.safeParse(data).error).toBeUndefined();
      }
    }
  });

  it('lists by job, status and page, newest first', async () => {
    const { get, runToEnd } = await start();
    const one = await runToEnd('greet', { input: { name: 'a' } });
    const two = await runToEnd('fail');
    const three = await runToEnd('greet', { input: { name: 'b' } });
    const ids = async (query: string) => {
      const runs: { id: string }[] = await (await get(`/runs?${query}`)).json();
      return runs.map(({ id }) => id);
    };
    expect(await ids('')).toEqual([three.runId, two.runId, one.runId]);
    expect(await ids('jobName=greet')).toEqual([three.runId, one.runId]);
    expect(await ids('jobName=greet&jobName=fail&status=failed&status=completed')).toHaveLength(3);
    expect(await ids('status=failed')).toEqual([two.runId]);
    expect(await ids('limit=1')).toEqual([three.runId]);
    expect(await ids('limit=2&offset=1')).toEqual([two.runId, one.runId]);
    expect(await ids('jobName=unheard-of')).toEqual([]);
  });

  it('a second trigger with an idempotency key returns the first run', async () => {
    const { get, trigger } = await start();
    const input = { input: { name: 'Ada' }, idempotencyKey: 'k' };
    const runId = await trigger('greet', input);
    expect(await trigger('greet', input)).toBe(runId);
    expect(await (await get('/runs')).json()).toHaveLength(1);
  });

  it('refuses an unknown job and a bad input, and creates nothing', async () => {
    const { get, send } = await start();
    const unknown = await readProblem(await send(postJson('/trigger', { jobName: 'nope' })));
    expect(unknown).toMatchObject({ status: 404, body: { error: 'Job not found: nope', code: 'NOT_FOUND' } });
    for (const name of ['__proto__', 'constructor']) {
      expect((await send(postJson('/trigger', { jobName: name }))).status).toBe(404);
    }
    const bad = await readProblem(await send(postJson('/trigger', { jobName: 'greet', input: { name: 5 } })));
    expect(bad).toMatchObject({ status: 400, body: { code: 'VALIDATION', issues: [{ path: ['name'] }] } });
    expect((await send(postJson('/trigger', { jobName: 'greet' }))).status).toBe(400);
    expect(await (await get('/runs')).json()).toEqual([]);
  });

  it('takes the options of a trigger, and names a bad one and its value', async () => {
    const { get, send, trigger, runToEnd } = await start();
    const input = { name: 'Ada' };
    await runToEnd('greet', { input, priority: -7, ttl: '10m', timeout: 60_000 });
    await trigger('greet', { input, priority: null, ttl: null, timeout: null });
    for (const [option, value, shown] of [
      ['priority', 1001, '1001'],
      ['ttl', '10 minutes', '"10 minutes"'],
      ['timeout', -1, '-1'],
    ] as const) {
      const bad = await readProblem(
        await send(postJson('/trigger', { jobName: 'greet', input, [option]: value })),
      );
      expect(bad).toMatchObject({ status: 400, body: { code: 'VALIDATION', issues: [{ path: [option] }] } });
      expect(bad.body.error).toMatch(new RegExp(`^${option} must be .*, not ${shown}$`));
    }
    expect(await (await get('/runs')).json()).toHaveLength(2);
  });

  it.each([
    ['GET', '/run'],
    ['GET', '/steps'],
    ['GET', '/logs'],
    ['GET', '/subscribe'],
    ['POST', '/retrigger'],
    ['POST', '/retry'],
    ['POST', '/cancel'],
    ['DELETE', '/run'],
  ])('%s %s answers 404 for an unknown run', async (method, path) => {
    const { command } = await start();
    for (const runId of ['run_00000000000000000000000000', 'x', '%F0%9F%99%82', "'"]) {
      const { status, body } = await readProblem(await command(method, path, runId));
      expect([status, body.error]).toEqual([404, 'Run not found']);
    }
  });

  it('retries, cancels and deletes only in the states that allow it', async () => {
    const { send, trigger, runToEnd, readRun, command, get } = await start();
    const failed = (await runToEnd('fail')).runId;
    const completed = (await runToEnd('greet', { input: { name: 'a' } })).runId;
    const running = await trigger('wait', { concurrencyKey: 'c' });
    const pending = await trigger('wait', { concurrencyKey: 'c' });
    const stream = await get(`/subscribe?runId=${running}`);
    await framesOf(stream, ({ data }) => data?.stepName === 'before');

    const refused: [string, string, string, string][] = [
      ['POST', '/retry', completed, 'completed'],
      ['POST', '/retry', pending, 'pending'],
      ['POST', '/retry', running, 'running'],
      ['POST', '/cancel', completed, 'completed'],
      ['POST', '/cancel', failed, 'failed'],
      ['DELETE', '/run', pending, 'pending'],
      ['DELETE', '/run', running, 'running'],
    ];
    for (const [method, path, runId, state] of refused) {
      const { status, body } = await readProblem(await command(method, path, runId));
      expect([method, path, status]).toEqual([method, path, 409]);
      expect(body.error).toContain(state);
      expect(await readRun(runId)).toMatchObject({ status: state });
    }

    expect(await (await command('POST', '/cancel', pending)).json()).toEqual({ success: true });
    expect(await readRun(pending)).toMatchObject({ status: 'cancelled' });
    expect((await command('POST', '/cancel', pending)).status).toBe(409);
    expect((await command('POST', '/cancel', running)).status).toBe(200);
    expect(await readRun(running)).toMatchObject({ status: 'cancelled' });

    expect(await (await command('POST', '/retry', failed)).json()).toEqual({ success: true });
    await framesOf(await get(`/subscribe?runId=${failed}`));
    expect(await readRun(failed)).toMatchObject({ status: 'failed', attempt: 2, error: 'no luck' });

    expect(await (await command('DELETE', '/run', completed)).json()).toEqual({ success: true });
    for (const path of ['/run', '/steps', '/logs'])
      expect((await get(`${path}?runId=${completed}`)).status).toBe(404);
    expect((await send(requestTo(`/run?runId=${completed}`, { method: 'DELETE' }))).status).toBe(404);
  });

  it.each([
    ['fail', 'no luck'],
    ['lie', 'Invalid output'],
    ['circle', 'bigint'],
  ])('job %s fails with a clear error', async (jobName, error) => {
    const { runToEnd, readRun } = await start();
    const { runId, frames } = await runToEnd(jobName);
    expect(typesOf(frames).at(-1)).toBe('run:fail');
    expect(await readRun(runId)).toMatchObject({ status: 'failed', error: expect.stringContaining(error) });
  });

  it('a stream replays from the first event and resumes after any, with the same bytes for every reader', async () => {
    const { get, runToEnd } = await start();
    const { runId, frames } = await runToEnd('greet', { input: { name: 'Ada' } });
    expect(await framesOf(await get(`/subscribe?runId=${runId}`))).toEqual(frames);
    for (const [place, { id }] of frames.entries()) {
      if (id === undefined) continue;
      const resumed = await get(`/subscribe?runId=${runId}`, { headers: { 'last-event-id': id } });
      if (place === frames.length - 1) expect(resumed.status).toBe(204);
      else expect(await framesOf(resumed)).toEqual([frames[0], ...frames.slice(place + 1)]);
    }
  });

  it('a stream that began before the end receives the end, also one that began before the start', async () => {
    const { get, trigger, openGate } = await start();
    const runId = await trigger('wait');
    const following = framesOf(await get(`/subscribe?runId=${runId}`));
    openGate();
    expect(typesOf(await following).at(-1)).toBe('run:complete');
  });

  it('a reader that has seen the deletion of its run is told not to reconnect', async () => {
    const { get, runToEnd, command } = await start();
    const list = await get('/runs/subscribe');
    const { runId } = await runToEnd('fail');
    expect((await command('DELETE', '/run', runId)).status).toBe(200);
    const frames = await framesOf(list, ({ data }) => data?.type === 'run:delete');
    const deleted = frames.at(-1);
    expect(deleted?.data).toMatchObject({ type: 'run:delete', runId });
    const headers = { 'last-event-id': deleted?.id ?? '' };
    expect((await get(`/subscribe?runId=${runId}`, { headers })).status).toBe(204);
    expect((await get(`/subscribe?runId=${runId}`)).status).toBe(404);
  });

  it('the stream of all runs begins now, says at which id, and misses nothing after it', async () => {
    const { get, runToEnd } = await start();
    await runToEnd('greet', { input: { name: 'before' } });
    const stream = await get('/runs/subscribe');
    const head = (await framesOf(stream, ({ id }) => id !== undefined)).at(-1);
    expect(head?.text).toMatch(/^id: \d+$/);

    const { runId } = await runToEnd('greet', { input: { name: 'after' } });
    const resumed = await get('/runs/subscribe', { headers: { 'last-event-id': head?.id ?? '' } });
    const frames = await framesOf(resumed, ({ data }) => data?.type === 'run:complete');
    expect(typesOf(frames)).toEqual([
      'run:trigger',
      'run:start',
      'run:progress',
      'step:start',
      'step:complete',
      'run:complete',
    ]);
    expect(frames.slice(1).every(({ data }) => data?.runId === runId)).toBe(true);
  });

  it('the stream of all runs can be restricted to some jobs', async () => {
    const { get, runToEnd } = await start();
    const stream = await get('/runs/subscribe?jobName=fail&jobName=lie');
    await runToEnd('greet', { input: { name: 'Ada' } });
    await runToEnd('fail');
    await runToEnd('lie');
    const frames = await framesOf(stream, ({ data }) => data?.type === 'run:fail' && data.jobName === 'lie');
    expect(new Set(frames.flatMap(({ data }) => data?.jobName ?? []))).toEqual(new Set(['fail', 'lie']));
  });

  it('lists, streams and retriggers runs with their labels', async () => {
    const { get, runToEnd, readRun, command } = await start();
    const stream = await get('/runs/subscribe?label.org=1&label.kind=x');
    const input = { name: 'Ada' };
    const one = await runToEnd('greet', { input, labels: { org: '1', kind: 'x' } });
    const two = await runToEnd('greet', { input, labels: { org: '1', kind: 'y' } });
    const three = await runToEnd('fail', { labels: { kind: 'x', org: '1' } });
    expect((await command('DELETE', '/run', three.runId)).status).toBe(200);
    expect(await readRun(two.runId)).toMatchObject({
      ...{ labels: { org: '1', kind: 'y' }, isTerminal: true, isActive: false },
    });
    const ids = async (query: string) => {
      const runs: { id: string }[] = await (await get(`/runs?${query}`)).json();
      return runs.map(({ id }) => id);
    };
    expect(await ids('label.org=1')).toEqual([two.runId, one.runId]);
    expect(await ids('label.org=1&label.kind=x&jobName=greet&status=completed')).toEqual([one.runId]);
    expect(await ids('label.org=1&status=leased')).toEqual([]);
    expect(await ids('label.org=2')).toEqual([]);

    const { success, runId } = await (await command('POST', '/retrigger', one.runId)).json();
    expect(success).toBe(true);
    await framesOf(await get(`/subscribe?runId=${runId}`));
    expect(await readRun(runId)).toMatchObject({
      ...{ jobName: 'greet', status: 'completed', payload: { name: 'Ada', loud: false } },
      labels: { org: '1', kind: 'x' },
    });

    const frames = await framesOf(
      stream,
      ({ data }) => data?.type === 'run:complete' && data.runId === runId,
    );
    const deleted = frames.find(({ data }) => data?.type === 'run:delete');
    expect(deleted?.data).toEqual({
      ...{ type: 'run:delete', runId: three.runId, jobName: 'fail' },
      ...{ timestamp: expect.any(String), sequence: expect.any(Number) },
    });
    const seen = new Set(frames.flatMap(({ data }) => data?.runId ?? []));
    expect(seen).toContain(one.runId);
    expect(seen).not.toContain(two.runId);
    const resumed = await get('/runs/subscribe?label.kind=x&label.org=1', {
      headers: { 'last-event-id': deleted?.id ?? '' },
    });
    const rest = await framesOf(resumed, ({ data }) => data?.type === 'run:complete');
    expect(rest.slice(1)).toEqual(frames.slice(frames.indexOf(deleted as Frame) + 1));
  });
}
