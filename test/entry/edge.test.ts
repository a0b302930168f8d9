import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ConfigError } from '../../src/app/config.ts';
import { readEdgeConfig, requestLimits } from '../../src/entry/edge/config.ts';
import { RequestBudget } from '../../src/entry/edge/request-budget.ts';
import { createEdgeService } from '../../src/entry/edge/service.ts';
import worker from '../../src/entry/worker.ts';
import { temporaryFolder } from '../app/temporary.ts';
import { postJson, requestTo } from '../http/doors.ts';
import { createSuiteJobs } from '../http/jobs.ts';
import { createContext } from '../support/edge.ts';
import { Sqld } from '../support/sqld/server.ts';
import { deferred, until } from '../support/until.ts';

const URL_SETTING = { TURSO_DATABASE_URL: 'libsql://jobs.example' };

async function startSqld(): Promise<Sqld> {
  const sqld = await Sqld.start({ file: join(await temporaryFolder(), 'test.db') });
  onTestFinished(() => sqld.stop());
  return sqld;
}

describe('the settings on an edge runtime', () => {
  it('have defaults that fit the free plan, and ignore variables of the service on Node', () => {
    const config = readEdgeConfig({
      ...URL_SETTING,
      PORT: 'none',
      HOST: '//',
      DURABLY_SHUTDOWN_MS: '-',
      KV: {},
    });
    expect(config).toMatchObject({
      ...URL_SETTING,
      DURABLY_CONCURRENCY: 4,
      DURABLY_WORK_MS: 20_000,
      DURABLY_CRON_MS: 45_000,
      DURABLY_SUBREQUESTS: 50,
    });
    expect(requestLimits(config)).toEqual({ work: 38, streams: 40 });
  });

  it.each([
    [{}, 'TURSO_DATABASE_URL must be set'],
    [{ TURSO_DATABASE_URL: '' }, 'TURSO_DATABASE_URL must be set'],
    [{ TURSO_DATABASE_URL: 'file:data/durably.db' }, 'TURSO_DATABASE_URL must be a libsql: or http(s): URL'],
    [{ TURSO_DATABASE_URL: 'ws://sqld' }, 'TURSO_DATABASE_URL must be a libsql: or http(s): URL'],
    [{ ...URL_SETTING, DURABLY_WORK_MS: '0' }, 'DURABLY_WORK_MS must be a whole number'],
    [{ ...URL_SETTING, DURABLY_CRON_MS: 'x' }, 'DURABLY_CRON_MS must be a whole number'],
    [
      { ...URL_SETTING, DURABLY_SUBREQUESTS: '17' },
      'DURABLY_SUBREQUESTS must be at least 18 for a DURABLY_CONCURRENCY of 4, got "17"',
    ],
    [{ ...URL_SETTING, DURABLY_POLLING_INTERVAL_MS: '-5' }, 'DURABLY_POLLING_INTERVAL_MS must be'],
  ])('refuse %j in one line that names it', (bindings, message) => {
    const read = () => readEdgeConfig(bindings);
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(message);
  });

  it('fail every request if they are wrong, and are logged in one line', async () => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    onTestFinished(() => printed.mockRestore());
    const env = { TURSO_DATABASE_URL: 'mysql://me:secret@db' };
    for (const path of ['/runs', '/trigger']) {
      const response = await worker.fetch(requestTo(path), env, createContext());
      expect([response.status, response.headers.get('content-type')]).toEqual([
        500,
        'application/problem+json',
      ]);
    }
    await expect(worker.scheduled({}, env, createContext())).rejects.toThrow(ConfigError);
    expect(printed).toHaveBeenCalledTimes(1);
    expect(String(printed.mock.calls[0]?.[0])).toContain('TURSO_DATABASE_URL must be');
    expect(String(printed.mock.calls[0]?.[0])).not.toContain('secret');
  });
});

describe('a budget of requests', () => {
  it('signals when a given number has been sent', async () => {
    const sqld = await startSqld();
    const budget = new RequestBudget();
    const [two, three] = [budget.signalAfter(2), budget.signalAfter(3)];
    await budget.fetch(sqld.url);
    expect(two.aborted).toBe(false);
    await budget.fetch(sqld.url);
    expect([two.aborted, three.aborted]).toEqual([true, false]);
    expect(budget.signalAfter(2).aborted).toBe(true);
  });

  it('refuses requests of jobs that would use the reserve for their results', async () => {
    const { url } = await startSqld();
    const sent = vi.spyOn(globalThis, 'fetch');
    onTestFinished(() => sent.mockRestore());
    const budget = new RequestBudget();
    const fetchForJobs = budget.fetchUntil(2);
    await fetchForJobs(url);
    await budget.fetch(url);
    await expect(fetchForJobs(url)).rejects.toThrow('no more than 2 requests');
    expect(sent).toHaveBeenCalledTimes(2);
    await budget.fetch(url);
    expect(sent).toHaveBeenCalledTimes(3);
  });
});

describe('requests to the edge service', () => {
  async function startService() {
    const sqld = await startSqld();
    const gate = deferred();
    const service = createEdgeService(() => createSuiteJobs(() => gate.promise));
    const env = { TURSO_DATABASE_URL: sqld.url, DURABLY_SUBREQUESTS: '1000' };
    const send = async (request: Request) => {
      const context = createContext();
      const response = await service.fetch(request, env, context);
      return { response, context };
    };
    return { sqld, gate, service, env, send };
  }

  it('work the queue after their answer if they trigger, retry or cancel, and not otherwise', async () => {
    const { send } = await startService();
    const triggered = await send(postJson('/trigger', { jobName: 'fail' }));
    expect(triggered.context.waiting).toHaveLength(1);
    const { runId } = await triggered.response.json();
    await Promise.all(triggered.context.waiting);
    const readRun = async () => (await send(requestTo(`/run?runId=${runId}`))).response.json();
    expect(await readRun()).toMatchObject({ status: 'failed', attempt: 1 });
    const retried = await send(requestTo(`/retry?runId=${runId}`, { method: 'POST' }));
    expect(retried.context.waiting).toHaveLength(1);
    await Promise.all(retried.context.waiting);
    expect(await readRun()).toMatchObject({ status: 'failed', attempt: 2 });
    for (const path of ['/runs', `/steps?runId=${runId}`, '/run?runId=unknown']) {
      expect((await send(requestTo(path))).context.waiting).toEqual([]);
    }
    const refused = await send(postJson('/trigger', { jobName: 'unknown' }));
    expect(refused.context.waiting).toEqual([]);
  });

  it('need a key if keys are set, and are otherwise accepted only for loopback hosts', async () => {
    const { sqld, service, send } = await startService();
    const ask = async (env: Record<string, string>, { host = 'jobs.example', key = '' } = {}) => {
      const headers = key === '' ? {} : { authorization: `Bearer ${key}` };
      const request = new Request(`https://${host}/api/durably/runs`, { headers });
      return (await service.fetch(request, env, createContext())).status;
    };
    const url = { TURSO_DATABASE_URL: sqld.url };
    expect(await ask(url)).toBe(403);
    expect((await send(requestTo('/runs'))).response.status).toBe(200);
    expect(await ask({ ...url, DURABLY_INSECURE: '1' })).toBe(200);
    const keyed = { ...url, DURABLY_API_KEYS: 'ci:0123456789abcdef' };
    const before = sqld.requests;
    expect([await ask(keyed), await ask(keyed, { key: '0123456789abcdeX' })]).toEqual([401, 401]);
    expect(sqld.requests).toBe(before);
    expect(await ask(keyed, { key: '0123456789abcdef' })).toBe(200);
  });

  it('share one rate limit per isolate', async () => {
    const { service, env } = await startService();
    const limited = { ...env, DURABLY_RATE_LIMIT: '2' };
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++)
      statuses.push((await service.fetch(requestTo('/runs'), limited, createContext())).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  it('check the migrations once', async () => {
    const { sqld, send } = await startService();
    await send(requestTo('/runs'));
    const before = sqld.requests;
    await send(requestTo('/runs'));
    await send(requestTo('/runs'));
    expect(sqld.requests - before).toBe(2);
  });

  it('check the migrations again after a failure', async () => {
    const { sqld, send } = await startService();
    vi.spyOn(console, 'error').mockImplementationOnce(() => undefined);
    sqld.query('create table durably_runs (id text)');
    expect((await send(requestTo('/runs'))).response.status).toBe(503);
    sqld.query('drop table durably_runs');
    expect((await send(requestTo('/runs'))).response.status).toBe(200);
  });

  it('are answered as ready while the database is reachable', async () => {
    const { sqld, send } = await startService();
    const readyz = () => send(new Request('http://localhost/readyz'));
    expect((await readyz()).response.status).toBe(200);
    sqld.fault = () => ({ kind: 'status', status: 503 });
    expect((await readyz()).response.status).toBe(503);
  });

  it('share the queue with cron events', async () => {
    const { send, service, env, gate } = await startService();
    const { response, context } = await send(postJson('/trigger', { jobName: 'wait', concurrencyKey: 'k' }));
    const { runId } = await response.json();
    const next = await send(postJson('/trigger', { jobName: 'greet', input: { name: 'Ada' } }));
    await Promise.all(next.context.waiting);
    const readRuns = async () => (await send(requestTo('/runs'))).response.json();
    await until(async () => (await readRuns()).length === 2);
    await service.scheduled({}, env, createContext());
    expect(await readRuns()).toMatchObject([
      { jobName: 'greet', status: 'completed', attempt: 1 },
      { id: runId, status: 'running', attempt: 1 },
    ]);
    gate.resolve();
    await Promise.all(context.waiting);
    expect(await readRuns()).toMatchObject([{}, { id: runId, status: 'completed', attempt: 1 }]);
  });
});
