import { format } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PluginTimeoutError } from '../../src/core/errors/errors.ts';
import { createDurablyHandler } from '../../src/http/create-handler.ts';
import { idle } from '../support/idle.ts';
import { watchProcess } from '../support/processes/watch-process.ts';
import { doors, readProblem, requestTo } from './doors.ts';
import { fakeDurably, ManualCursor } from './fake-durably.ts';

// These tests ignore what is reported to the console.
beforeEach(() => void vi.spyOn(console, 'error').mockReturnValue());
afterEach(() => vi.restoreAllMocks());

const thrower = (thrown: unknown) => () => {
  throw thrown;
};

/** Throws whatever property is read. */
const hostile = () =>
  new Proxy(new Error('never seen'), {
    get: thrower('get'),
    getPrototypeOf: thrower('getPrototypeOf'),
    ownKeys: thrower('ownKeys'),
    has: thrower('has'),
  });

test.for(doors)(
  'answers 500 without an uncaught error, whatever hooks throw or return, through $door',
  async ({ open }) => {
    const raised = watchProcess();
    const heard: unknown[] = [];
    const onError = (error: unknown) => {
      heard.push(error);
      return Promise.reject(hostile()) as never;
    };
    const hooks: Parameters<typeof open>[1][] = [
      { onRequest: thrower(hostile()) },
      { onRequest: () => Promise.reject(hostile()) },
      // biome-ignore lint/suspicious/noThenProperty: thenables are what is tested.
      { onRequest: () => ({ then: thrower('then') }) as never },
      { auth: { authenticate: thrower(hostile()) } },
      { auth: { authenticate: () => 1, scopeRuns: () => hostile() as never } },
    ];
    for (const hook of hooks) {
      const response = await open(fakeDurably(), { ...hook, onError })(requestTo('/runs'));
      expect(response.status).toBe(500);
      expect((await readProblem(response)).body).toMatchObject({ code: 'INTERNAL' });
    }
    await idle();
    expect(heard).toHaveLength(hooks.length);
    expect(raised).toEqual([]);
  },
);

test.for(doors)('an onError that fails in any way changes no answer, through $door', async ({ open }) => {
  const raised = watchProcess();
  const answers: (() => unknown)[] = [
    thrower(hostile()),
    () => Promise.reject(hostile()),
    async () => {
      await idle();
      throw new Error('late');
    },
    () => new Promise(() => undefined),
    () => Object.defineProperty({}, 'then', { get: thrower('then') }),
  ];
  for (const onError of answers) {
    const options = { onRequest: thrower(new Error('of the hook')), onError: onError as never };
    expect((await open(fakeDurably(), options)(requestTo('/runs'))).status).toBe(500);
  }
  const late = async () => {
    await idle();
    throw Promise.reject(new Error('thrown promise'));
  };
  expect((await open(fakeDurably(), { onRequest: late })(requestTo('/runs'))).status).toBe(500);
  await idle();
  await idle();
  expect(raised).toEqual([]);
});

test('reports an error that throws when it is printed, without an onError', async () => {
  const raised = watchProcess();
  // The real console formats errors in this way too.
  vi.mocked(console.error).mockImplementation((...shown: unknown[]) => void format(...shown));
  const error = Object.defineProperty(new Error('hidden'), 'stack', { get: thrower('stack') });
  const { handle } = createDurablyHandler(fakeDurably(), { onRequest: thrower(error) });
  expect((await handle(requestTo('/runs'), '/api/durably')).status).toBe(500);
  expect(raised).toEqual([]);
});

test('lets many handlers and streams share a shutdown and a request signal without a warning', async () => {
  const raised = watchProcess();
  const shutdown = new AbortController();
  const client = new AbortController();
  const cursors = Array.from({ length: 30 }, () => new ManualCursor([]));
  const responses = await Promise.all(
    cursors.map(async (cursor) => {
      const durably = fakeDurably({ openRunFeed: async () => ({ kind: 'open', cursor }) });
      const { handle } = createDurablyHandler(durably, { shutdown: shutdown.signal });
      const request = requestTo('/subscribe?runId=run_1', {});
      Object.defineProperty(request, 'signal', { value: client.signal });
      return await handle(request, '/api/durably');
    }),
  );
  shutdown.abort();
  for (const response of responses) expect(await response.text()).toContain('retry: 1000');
  expect(cursors.every(({ closed }) => closed)).toBe(true);
  expect(raised).toEqual([]);
});

test('answers 503 and says which plugin has not answered in time', async () => {
  const trigger = async () => {
    throw new PluginTimeoutError('vault', { hook: 'encode', withinMs: 10_000 });
  };
  const { handle } = createDurablyHandler({ ...fakeDurably(), triggerForId: trigger });
  const body = JSON.stringify({ jobName: 'greet', input: {} });
  const response = await handle(requestTo('/trigger', { method: 'POST', body }), '/api/durably');
  expect(response.headers.get('retry-after')).toBe('5');
  expect((await readProblem(response)).body).toMatchObject({
    status: 503,
    code: 'PLUGIN_TIMEOUT',
    detail: 'Plugin "vault" has not answered encode within 10 s',
  });
});
