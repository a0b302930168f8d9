import { createClient } from '@libsql/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDurably } from '../../src/index.ts';
import { openRemote } from '../../src/remote.ts';
import { rowsOf } from '../../src/storage/sqlite/connection/libsql-client.ts';
import { HeldStream } from '../../src/storage/sqlite/remote/held-stream.ts';
import { echo } from '../support/jobs.ts';
import { quiet, startRemote } from '../support/remote.ts';
import { rejectionOf } from '../support/runs.ts';
import type { SqldOptions } from '../support/sqld/server.ts';

const plain = (sql: string, ...parameters: (string | number)[]) => ({ sql, parameters });
const insert = (n: number) => plain('insert into numbers (n) values (?) returning n', n);

/** A server with a table of unique numbers, and a stream for writes to it. */
async function opened(options: Omit<SqldOptions, 'file'> = {}) {
  const remote = await startRemote(options);
  const time = { ms: 0 };
  const url = remote.server.addressForClient();
  const open = (authToken?: string) => {
    const stream = new HeldStream({ url, authToken, fetch, monotonicMs: () => time.ms });
    onTestFinished(() => stream.close());
    return stream;
  };
  const held = open(options.authToken);
  await held.batch([plain('create table if not exists numbers (n integer unique)')]);
  const numbers = () => remote.server.query('select n from numbers order by n').map(({ n }) => Number(n));
  return { remote, url, open, held, time, numbers };
}

/** An instance as the service opens it, and its server. */
async function started() {
  const remote = await startRemote();
  const database = openRemote({ url: remote.server.addressForClient() });
  onTestFinished(() => database.close());
  const durably = createDurably({ dialect: database.dialect, jobs: { echo } });
  await durably.migrate();
  return { remote, durably };
}

describe('the writes of an instance over HTTP', () => {
  test('share one stream', async () => {
    const { remote, durably } = await started();
    const before = remote.server.writeStreams;
    const { id } = await durably.jobs.echo.trigger('first');
    for (let i = 0; i < 3; i++) await durably.jobs.echo.trigger(i);
    await durably.cancel(id);
    expect(remote.server.writeStreams - before).toBe(0);
  });

  test('go on with another one when the server has ended it, and are stored once', async () => {
    const { remote, durably } = await started();
    await durably.jobs.echo.trigger('before');
    remote.server.expireStreams();
    await durably.jobs.echo.trigger('after');
    expect((await durably.getRuns()).map(({ payload }) => payload)).toEqual(['after', 'before']);
  });

  test('go on when the server was started again', async () => {
    const { remote, durably } = await started();
    await durably.jobs.echo.trigger('before');
    await remote.restart(async () => undefined);
    await durably.jobs.echo.trigger('after');
    expect((await durably.getRuns()).map(({ payload }) => payload)).toEqual(['after', 'before']);
  });
});

describe('a stream that is held', () => {
  test('answers with the rows of each statement', async () => {
    const { held } = await opened();
    const answers = await held.batch([insert(1), plain('select n + 1 as m from numbers')]);
    expect(answers.map(rowsOf).map((rows) => rows.map((row) => ({ ...row })))).toEqual([
      [{ n: 1 }],
      [{ m: 2 }],
    ]);
  });

  test('is replaced after a statement was refused, which leaves nothing behind', async () => {
    const { remote, held, numbers } = await opened();
    await held.batch([insert(1)]);
    const before = remote.server.writeStreams;
    await rejectionOf(held.batch([insert(2), insert(1), insert(3)]));
    expect(numbers()).toEqual([1]);
    for (const n of [4, 5]) await held.batch([insert(n)]);
    expect(numbers()).toEqual([1, 4, 5]);
    expect(remote.server.writeStreams - before).toBe(1);
  });

  test('is replaced after five seconds without a write, and closed', async () => {
    const { remote, held, time } = await opened();
    const before = remote.server.writeStreams;
    time.ms += 4_999;
    await held.batch([insert(1)]);
    expect(remote.server.writeStreams - before).toBe(0);
    time.ms += 5_000;
    const { requests } = remote.server;
    await held.batch([insert(2)]);
    await quiet(remote.server);
    expect(remote.server.writeStreams - before).toBe(1);
    expect(remote.server.requests - requests).toBe(2);
  });

  test('is not waited for by a second batch', async () => {
    const { remote, held, numbers } = await opened();
    const before = remote.server.writeStreams;
    await Promise.all([held.batch([insert(1)]), held.batch([insert(2)])]);
    expect(numbers()).toEqual([1, 2]);
    expect(remote.server.writeStreams - before).toBe(1);
  });

  test.each([
    { title: 'a constraint', statements: [insert(1), insert(1)] },
    { title: 'wrong SQL', statements: [plain('insert numbers')] },
    { title: 'a wrong token', authToken: 'wrong', statements: [insert(1)] },
    { title: 'a proxy', status: 502, statements: [insert(1)] },
    { title: 'an error of the server', code: 'RESPONSE_TOO_LARGE', statements: [insert(1)] },
  ])('fails as @libsql/client does: $title', async ({ statements, authToken = 'right', status, code }) => {
    const { remote, open, url } = await opened({ authToken: 'right' });
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
  });
});
