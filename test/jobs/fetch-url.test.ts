import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFetchUrl } from '../../src/jobs/fetch-url.ts';
import { type JobInstance, JobService } from './service.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;
const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end('body');

let service: JobService;
let durably: JobInstance;
let server: Server;
let url: string;
/** The server's answers, in order. The last one is repeated. */
let answers: Answer[];
let requests: number;

beforeEach(async () => {
  answers = [];
  requests = 0;
  server = createServer((request, response) => {
    const answer = answers[Math.min(requests, answers.length - 1)];
    requests += 1;
    answer?.(response, request);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  url = `http://127.0.0.1:${address.port}/`;
  service = new JobService();
  durably = await service.start();
});
afterEach(async () => {
  await service.close();
  server.closeAllConnections();
  server.close();
});

const warnings = async (runId: string) =>
  (await durably.getLogs({ runId, level: 'warn' })).map(({ message }) => message);

test('tries again after a broken connection, 500 and 429, and logs each failed try', async () => {
  answers = [
    (response) => response.socket?.destroy(),
    status(503),
    status(429, { 'retry-after': '0' }),
    status(200),
  ];
  const { id, output } = await durably.jobs.fetchUrl.triggerAndWait({ url });
  const sha256 = createHash('sha256').update('body').digest('hex');
  expect(output).toEqual({ status: 200, bytes: 4, sha256, tries: 4 });
  expect(await warnings(id)).toEqual([
    expect.stringMatching(/^try 1 of 5 failed: \S/),
    'try 2 of 5 failed: the server answered 503',
    'try 3 of 5 failed: the server answered 429',
  ]);
  expect(await durably.getSteps(id)).toMatchObject([{ name: 'fetch', status: 'completed' }]);
});

test('gives up after the given number of tries', async () => {
  answers = [status(500)];
  const error = 'gave up after 3 tries: the server answered 500';
  await expect(durably.jobs.fetchUrl.triggerAndWait({ url, attempts: 3 })).rejects.toThrow(error);
  expect(requests).toBe(3);
});

test('a refused connection is a failed try', async () => {
  server.close();
  await once(server, 'close');
  const failing = durably.jobs.fetchUrl.triggerAndWait({ url, attempts: 2 });
  await expect(failing).rejects.toThrow(/gave up after 2 tries: .*ECONNREFUSED/);
});

test.each([
  [404, {}],
  [302, { location: '/elsewhere' }],
])('does not retry after %i', async (code, headers) => {
  answers = [status(code, headers)];
  const error = `the server answered ${code}: not tried again`;
  await expect(durably.jobs.fetchUrl.triggerAndWait({ url })).rejects.toThrow(error);
  expect(requests).toBe(1);
});

test('a timeout is a failed try, also if only the body hangs', async () => {
  answers = [() => undefined, (response) => response.writeHead(200).write('bo'), status(200)];
  // On a busy machine the answer that comes may be late, too.
  const input = { url, timeoutMs: 200, attempts: 20 };
  const { id, output } = await durably.jobs.fetchUrl.triggerAndWait(input);
  expect(output).toMatchObject({ status: 200, bytes: 4 });
  expect((await warnings(id)).slice(0, 2)).toEqual([
    'try 1 of 20 failed: no answer in 200 ms',
    'try 2 of 20 failed: no answer in 200 ms',
  ]);
});

test('cancelling aborts a request in progress', async () => {
  const arrived = new Promise<IncomingMessage>((resolve) => {
    answers = [(_, request) => resolve(request)];
  });
  const run = await durably.jobs.fetchUrl.trigger({ url, timeoutMs: 60_000 });
  const closed = once((await arrived).socket, 'close');
  await durably.cancel(run.id);
  await closed;
  await durably.stop();
  expect(requests).toBe(1);
});

describe('an origin', () => {
  test.each([
    'https://example.com/',
    'http://127.0.0.1.example.com/',
    'http://169.254.169.254/latest',
    'http://[::ffff:127.0.0.1]/',
    'http://user:pass@127.0.0.1/',
    'file:///etc/hostname',
    'not a url',
  ])('%s is refused', async (foreign) => {
    await expect(durably.jobs.fetchUrl.trigger({ url: foreign })).rejects.toThrow(/url/);
    expect(await durably.getRuns()).toEqual([]);
  });

  test.each(['http://localhost:1/', 'http://127.1:1/', 'http://[::1]:1/'])(
    '%s belongs to this machine',
    async (own) => {
      const failing = durably.jobs.fetchUrl.triggerAndWait({ url: own, attempts: 1 });
      await expect(failing).rejects.toThrow('gave up after 1 tries');
    },
  );
});

test('with keys, this machine is fetched from only if it is listed', async () => {
  const input = (loopback: 'open' | 'named', origins: string[] = []) =>
    createFetchUrl({ loopback, origins }).input;
  const own = [
    'http://localhost:1/',
    'http://127.0.0.1:1/',
    'http://127.1:1/',
    'http://2130706433:1/',
    'http://[::1]:1/',
  ];
  for (const url of own) {
    expect(input('open').safeParse({ url }).success, url).toBe(true);
    expect(input('named').safeParse({ url }).success, url).toBe(false);
    expect(input('named', [new URL(url).origin]).safeParse({ url }).success, url).toBe(true);
  }
  const others = [
    'http://0.0.0.0/',
    'http://10.0.0.1/',
    'http://169.254.169.254/',
    'http://[::ffff:127.0.0.1]/',
  ];
  for (const url of [
    ...others,
    'http://localhost./',
    'http://[::]/',
    'http://0177.0.0.1.nip.io/',
    'http://0x0/',
  ]) {
    for (const loopback of ['open', 'named'] as const) {
      expect(input(loopback).safeParse({ url }).success, url).toBe(false);
    }
  }
});
