import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { buildOpenApi } from '../../src/app/openapi/openapi.ts';
import { createDurablyClient } from '../../src/client/create-client.ts';
import type { DurablyClient } from '../../src/client/durably-client.ts';
import { type ClientOperationName, operations as clientOperations } from '../../src/client/operations.ts';
import { operations } from '../../src/http/operations/index.ts';

const URL_OF_SERVICE = 'http://localhost:3000/api/durably';
const ROOT = join(import.meta.dirname, '../..');

/** A call of each method, with every parameter that its operation has. */
const calls: { readonly [N in ClientOperationName]: (client: DurablyClient) => unknown } = {
  trigger: (client) => client.trigger('greet', { name: 'Ada' }, { priority: 1, runAt: new Date(0) }),
  batchTrigger: (client) => client.batchTrigger([{ jobName: 'greet', delay: '1h' }]),
  retrigger: (client) => client.retrigger('run_1'),
  fork: (client) => client.fork('run_1', { from: 'one', input: { name: 'Ada' } }),
  getRun: (client) => client.getRun('run_1'),
  getRuns: (client) =>
    client.getRuns({
      jobName: ['greet', 'wait'],
      status: 'failed',
      parentRunId: 'run_0',
      scheduleId: 'nightly',
      createdAfter: new Date(0),
      createdBefore: '2030-01-01T00:00:00Z',
      q: 'a&b',
      labels: { org: '1', kind: 'x y' },
      limit: 5,
      offset: 3,
      fields: ['id', 'status'],
    }),
  getSteps: (client) => client.getSteps('run_1'),
  getLogs: (client) => client.getLogs({ runId: 'run_1', level: 'warn', limit: 5, after: 7 }),
  runEvents: (client) => client.runEvents('run_1', { after: 7 }).next(),
  events: (client) => client.events({ jobName: 'greet', labels: { org: '1' }, after: 7 }).next(),
  retry: (client) => client.retry('run_1'),
  cancel: (client) => client.cancel('run_1'),
  deleteRun: (client) => client.deleteRun('run_1'),
  signal: (client) => client.signal('run_1', 'approval', { ok: true }, { signalId: 's' }),
  reschedule: (client) => client.reschedule('run_1', { delay: '2h' }),
  cancelRuns: (client) => client.cancelRuns({ labels: { org: '1' }, createdAfter: new Date(0) }),
  retryRuns: (client) => client.retryRuns({ status: ['failed'], limit: 5 }),
  deleteRuns: (client) => client.deleteRuns({ all: true }),
  getJobs: (client) => client.getJobs({ jobName: 'greet', counts: false }),
  getStats: (client) => client.getStats({ jobName: ['greet', 'wait'], since: '2h', bucket: '1m' }),
  getWorkers: (client) => client.getWorkers(),
  getOverview: (client) => client.getOverview(),
  pauseJob: (client) => client.pauseJob('greet'),
  resumeJob: (client) => client.resumeJob('greet'),
  getSchedules: (client) => client.getSchedules(),
  schedule: (client) => client.schedule({ id: 'nightly', jobName: 'greet', cron: '@daily' }),
  deleteSchedule: (client) => client.deleteSchedule('nightly'),
  pauseSchedule: (client) => client.pauseSchedule('nightly'),
  resumeSchedule: (client) => client.resumeSchedule('nightly'),
  fireSchedule: (client) => client.fireSchedule('nightly'),
  processUntilIdle: (client) => client.processUntilIdle({ timeoutMs: 5 }),
  createStreamTicket: (client) => client.createStreamTicket('run_1'),
};

/** The request that a call sends. */
async function requestOf(call: (client: DurablyClient) => unknown): Promise<Request> {
  const sent: Request[] = [];
  const client = createDurablyClient({
    url: URL_OF_SERVICE,
    fetch: async (url, init) => {
      sent.push(new Request(url, init));
      return new Response('{}', { status: 418 });
    },
  });
  await Promise.resolve(call(client)).catch(() => undefined);
  const [request] = sent;
  return request ?? expect.fail('nothing was sent');
}

const routeOf = ({ method, path }: { readonly method: string; readonly path: string }) => `${method} ${path}`;

/** The route of the app, not of an operation, that the client also has. */
const TICKETS = 'POST /stream-ticket';

it('the client has every operation of the service, and no other', () => {
  const known = Object.values(clientOperations).map(routeOf);
  expect(known.sort()).toEqual([...operations.map(routeOf), TICKETS].sort());
});

it('the client has every operation of openapi.yaml below the base path', () => {
  const document = parse(readFileSync(join(ROOT, 'openapi.yaml'), 'utf8'));
  const own = ['/healthz', '/readyz', '/metrics', '/openapi.json'];
  const described = Object.entries<object>(document.paths)
    .filter(([path]) => !own.includes(path))
    .flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));
  const known = Object.values(clientOperations).map(routeOf);
  expect(new Set(known)).toEqual(new Set([...described, TICKETS]));
  const withKeys = buildOpenApi({
    basePath: '/',
    hasKeys: true,
    hasAuth: false,
    hasRateLimit: false,
    hasMetrics: false,
  });
  expect(Object.keys(Object(withKeys.paths))).toContain('/stream-ticket');
});

it.each(Object.keys(clientOperations) as ClientOperationName[])(
  '%s sends what its operation takes, and nothing else',
  async (name) => {
    const request = await requestOf(calls[name]);
    const { pathname, searchParams } = new URL(request.url);
    const route = `${request.method} ${pathname.slice(new URL(URL_OF_SERVICE).pathname.length)}`;
    expect(route).toBe(routeOf(clientOperations[name]));
    const operation = operations.find((each) => routeOf(each) === route);
    if (operation === undefined) return;
    const { input } = operation;
    const schema = input.from === 'both' ? input.query : input.schema;
    const known = input.from === 'body' ? [] : Object.keys(schema.shape);
    for (const key of searchParams.keys()) expect(known).toContain(key.startsWith('label.') ? 'label' : key);
    const text = await request.text();
    if (input.from === 'query') return expect(text).toBe('');
    const body = input.from === 'both' ? input.body : input.schema;
    expect(body.safeParse(JSON.parse(text)).error).toBeUndefined();
  },
);

it('a list and each label are parameters of their own, and a Date is ISO 8601', async () => {
  const { searchParams } = new URL((await requestOf(calls.getRuns)).url);
  expect([...searchParams]).toEqual([
    ['jobName', 'greet'],
    ['jobName', 'wait'],
    ['status', 'failed'],
    ['parentRunId', 'run_0'],
    ['scheduleId', 'nightly'],
    ['createdAfter', '1970-01-01T00:00:00.000Z'],
    ['createdBefore', '2030-01-01T00:00:00Z'],
    ['q', 'a&b'],
    ['label.org', '1'],
    ['label.kind', 'x y'],
    ['limit', '5'],
    ['offset', '3'],
    ['fields', 'id'],
    ['fields', 'status'],
  ]);
});
