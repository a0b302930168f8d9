import { expect, it } from 'vitest';
import { operations } from '../../../src/http/operations/index.ts';
import { pathOf, postJson, readProblem, requestTo } from '../doors.ts';
import type { Start } from './client.ts';
import { framesOf, typesOf } from './frames.ts';

/** What callers see of runs: what they trigger, read, list and command. */
export function testRuns(start: Start): void {
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

  it('a run gets the signal that it waits for, and the sender learns what became of it', async () => {
    const { get, send, trigger } = await start();
    const runId = await trigger('ask', { input: { name: 'approval' } });
    const signal = async (body: object, id = runId) => await send(postJson(`/signal?runId=${id}`, body));
    const sent = { name: 'approval', payload: { ok: true }, signalId: 'mail-7' };
    const answer = await signal(sent);
    expect([answer.status, await answer.json()]).toEqual([200, { disposition: 'accepted' }]);
    expect(await (await signal(sent)).json()).toEqual({ disposition: 'duplicate' });
    const frames = await framesOf(await get(`/subscribe?runId=${runId}`));
    expect(frames.find(({ data }) => data?.type === 'run:signal')?.data).toMatchObject({
      name: 'approval',
      payload: { ok: true },
    });
    expect(frames.at(-1)?.data).toMatchObject({ type: 'run:complete', output: { ok: true } });
    for (const [body, id, status, code] of [
      [{ ...sent, payload: 2 }, runId, 409, 'CONFLICT'],
      [{ name: 'late' }, runId, 409, 'CONFLICT'],
      [sent, 'run_unknown', 404, 'NOT_FOUND'],
      [{ payload: 1 }, runId, 400, 'VALIDATION'],
      [{ name: '' }, runId, 400, 'VALIDATION'],
      [{ name: 'x', payload: 1, signalID: 'y' }, runId, 400, 'VALIDATION'],
      [[1], runId, 400, 'VALIDATION'],
    ] as const) {
      const refused = await readProblem(await signal(body, id));
      expect([body, refused.status, refused.body.code]).toEqual([body, status, code]);
    }
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
}
