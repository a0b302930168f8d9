import { createClient } from '@libsql/client';
import Database from 'libsql';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDurably } from '../../src/index.ts';
import { openRemote } from '../../src/remote.ts';
import { rowsOf } from '../../src/storage/sqlite/connection/libsql-client.ts';
import { HeldStream } from '../../src/storage/sqlite/remote/held-stream.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { echo } from '../support/jobs.ts';
import { quiet, startRemote } from '../support/remote.ts';
import { rejectionOf } from '../support/runs.ts';
import type { SqldOptions } from '../support/sqld/server.ts';
import { until } from '../support/until.ts';

const plain = (sql: string, ...parameters: (string | number)[]) => ({ sql, parameters });
const insert = (n: number) => plain('insert into numbers (n) values (?) returning n', n);

const PROTOCOLS = ['http', 'ws'] as const;
type Protocol = (typeof PROTOCOLS)[number];

/** A server with a table of unique numbers, and a stream for writes to it. */
async function opened(protocol: Protocol, options: Omit<SqldOptions, 'file'> = {}) {
  const remote = await startRemote(options);
  const clock = new FakeClock();
  const url = remote.server.addressForClient(protocol);
  const open = (authToken?: string) => {
    const stream = new HeldStream({ url, authToken, fetch, clock });
    onTestFinished(() => stream.close());
    return stream;
  };
  const held = open(options.authToken);
  await held.batch([plain('create table if not exists numbers (n integer unique)')]);
  const numbers = () => remote.server.query('select n from numbers order by n').map(({ n }) => Number(n));
  return { remote, url, open, held, clock, numbers };
}

interface Failure {
  readonly title: string;
  readonly statements: ReturnType<typeof plain>[];
  readonly authToken?: string;
  /** Of a proxy, over HTTP. */
  readonly status?: number;
  readonly code?: string;
}

/** An instance as the service opens it, and its server. */
async function started(protocol: Protocol) {
  const remote = await startRemote();
  const database = openRemote({ url: remote.server.addressForClient(protocol) });
  onTestFinished(() => database.close());
  const durably = createDurably({ dialect: database.dialect, jobs: { echo } });
  await durably.migrate();
  return { remote, durably };
}

describe.each(PROTOCOLS)('the writes of an instance over %s', (protocol) => {
  test('share one stream', async () => {
    const { remote, durably } = await started(protocol);
    const before = remote.server.writeStreams;
    const { id } = await durably.jobs.echo.trigger('first');
    for (let i = 0; i < 3; i++) await durably.jobs.echo.trigger(i);
    await durably.cancel(id);
    expect(remote.server.writeStreams - before).toBe(0);
  });

  test.skipIf(protocol === 'ws')(
    'go on with another one when the server has ended it, and are stored once',
    async () => {
      const { remote, durably } = await started(protocol);
      await durably.jobs.echo.trigger('before');
      remote.server.expireStreams();
      await durably.jobs.echo.trigger('after');
      expect((await durably.getRuns()).map(({ payload }) => payload)).toEqual(['after', 'before']);
    },
  );

  test('go on when the server was started again', async () => {
    const { remote, durably } = await started(protocol);
    await durably.jobs.echo.trigger('before');
    await remote.restart(async () => undefined);
    await durably.jobs.echo.trigger('after');
    expect((await durably.getRuns()).map(({ payload }) => payload)).toEqual(['after', 'before']);
  });
});

describe.each(PROTOCOLS)('a stream that is held over %s', (protocol) => {
  test('answers with the rows of each statement', async () => {
    const { held } = await opened(protocol);
    const answers = await held.batch([insert(1), plain('select n + 1 as m from numbers')]);
    expect(answers.map(rowsOf).map((rows) => rows.map((row) => ({ ...row })))).toEqual([
      [{ n: 1 }],
      [{ m: 2 }],
    ]);
  });

  test('is replaced after a statement was refused, which leaves nothing behind', async () => {
    const { remote, held, numbers } = await opened(protocol);
    await held.batch([insert(1)]);
    const before = remote.server.writeStreams;
    await rejectionOf(held.batch([insert(2), insert(1), insert(3)]));
    expect(numbers()).toEqual([1]);
    for (const n of [4, 5]) await held.batch([insert(n)]);
    expect(numbers()).toEqual([1, 4, 5]);
    expect(remote.server.writeStreams - before).toBe(1);
  });

  // Its connection may still have a place in the server's queue, in which nobody else could take its turn.
  test('is kept when the server is busy', async () => {
    const { remote, held, numbers } = await opened(protocol);
    const before = remote.server.writeStreams;
    const other = new Database(remote.file);
    onTestFinished(() => void other.close());
    other.exec('begin immediate');
    expect(await rejectionOf(held.batch([insert(1)]))).toMatchObject({ code: 'SQLITE_BUSY' });
    other.exec('rollback');
    await held.batch([insert(2)]);
    expect(numbers()).toEqual([2]);
    expect(remote.server.writeStreams - before).toBe(0);
  });

  const [idleMs, spoken, requestsToReplace] =
    protocol === 'http' ? [5_000, 'five seconds', 2] : [60_000, 'a minute', 1];
  test(`is replaced after ${spoken} without a write, and closed`, async () => {
    const { remote, held, clock } = await opened(protocol);
    const before = remote.server.writeStreams;
    clock.advance(idleMs - 1);
    await held.batch([insert(1)]);
    expect(remote.server.writeStreams - before).toBe(0);
    clock.advance(idleMs);
    const { requests } = remote.server;
    await held.batch([insert(2)]);
    await quiet(remote.server);
    expect(remote.server.writeStreams - before).toBe(1);
    expect(remote.server.requests - requests).toBe(requestsToReplace);
  });

  test('is not waited for by a second batch', async () => {
    const { remote, held, numbers } = await opened(protocol);
    const before = remote.server.writeStreams;
    await Promise.all([held.batch([insert(1)]), held.batch([insert(2)])]);
    expect(numbers()).toEqual([1, 2]);
    expect(remote.server.writeStreams - before).toBe(1);
  });

  const failures: Failure[] = [
    { title: 'a constraint', statements: [insert(1), insert(1)] },
    { title: 'wrong SQL', statements: [plain('insert numbers')] },
    { title: 'a wrong token', authToken: 'wrong', statements: [insert(1)] },
    { title: 'an error of the server', code: 'RESPONSE_TOO_LARGE', statements: [insert(1)] },
    ...(protocol === 'http' ? [{ title: 'a proxy', status: 502, statements: [insert(1)] }] : []),
  ];
  test.each(failures)(
    'fails as @libsql/client does: $title',
    async ({ statements, authToken = 'right', status, code }) => {
      const { remote, open, url } = await opened(protocol, { authToken: 'right' });
      if (status !== undefined) remote.server.fault = () => ({ kind: 'status', status });
      if (code !== undefined) remote.server.fault = () => ({ kind: 'error', code });
      const client = createClient({ url, authToken });
      onTestFinished(() => client.close());
      const batch = statements.map(({ sql, parameters }) => ({ sql, args: parameters }));
      const told = (error: Error) => ({
        name: error.name,
        message: error.message,
        code: Reflect.get(error, 'code'),
        statementIndex: Reflect.get(error, 'statementIndex'),
        status: Reflect.get(Object(error.cause), 'status'),
      });
      const theirs = told(await rejectionOf(client.batch(batch, 'write')));
      expect(told(await rejectionOf(open(authToken).batch(statements)))).toEqual(theirs);
    },
  );
});

test('a stream whose answer was lost is sent nothing more over HTTP', async () => {
  const { remote, held, numbers } = await opened('http');
  const { server } = remote;
  const at = server.requests + 1;
  server.fault = (number) => (number === at ? { kind: 'drop', when: 'after' } : { kind: 'none' });
  await rejectionOf(held.batch([insert(1)]));
  await held.batch([insert(2)]);
  await quiet(server);
  expect(numbers()).toEqual([1, 2]);
  expect(server.requests).toBe(at + 1);
});

test.each(PROTOCOLS)('a stream that was closed over %s executes nothing more', async (protocol) => {
  const { held, numbers } = await opened(protocol);
  held.close();
  expect(await rejectionOf(held.batch([insert(1)]))).toMatchObject({ code: 'CLIENT_CLOSED' });
  expect(numbers()).toEqual([]);
});

test('a WebSocket without an answer is closed after fifteen seconds, and another one is used', async () => {
  const { remote, held, clock, numbers } = await opened('ws', { cuts: 'allowed' });
  const { server } = remote;
  const at = server.requests + 1;
  server.fault = (number) => (number === at ? { kind: 'hang', when: 'before' } : { kind: 'none' });
  const lost = rejectionOf(held.batch([insert(1)]));
  await until(() => server.requests === at);
  clock.advance(14_999);
  await quiet(server, { underWay: 1 });
  expect(server.abandoned).toBe(0);
  clock.advance(1);
  expect(await lost).toBeInstanceOf(Error);
  await until(() => server.abandoned === 1);
  await held.batch([insert(2)]);
  expect(numbers()).toEqual([2]);
  expect(clock.pendingMs).toEqual([]);
});
