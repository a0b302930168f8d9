import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@libsql/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { quiet } from '../support/remote.ts';
import { rejectionOf } from '../support/runs.ts';
import { Sqld, type SqldOptions } from '../support/sqld/server.ts';
import { deferred, until } from '../support/until.ts';

const WRITE = 'insert into counts (n) values (1)';
const COUNT = 'select count(*) as stored from counts';

/** A server with a table, which the test stops itself if it breaks it. */
async function startServer(options: Omit<SqldOptions, 'file'> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'durably-stand-in-'));
  const server = await Sqld.start({ file: join(folder, 'test.db'), ...options });
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= server.stop();
    return stopped;
  };
  onTestFinished(async () => {
    await stop().catch(() => undefined);
    rmSync(folder, { recursive: true });
  });
  const connect = (settings: Omit<Parameters<typeof createClient>[0], 'url'> = {}) => {
    const client = createClient({ url: server.addressForClient(), ...settings });
    onTestFinished(() => client.close());
    return client;
  };
  await connect().execute('create table counts (n integer)');
  return { server, connect, stop };
}

async function stored(client: Client): Promise<number> {
  const { rows } = await client.execute(COUNT);
  return Number(rows[0]?.stored);
}

/** Lets requests arrive, and holds them until the answer is called. */
function holdAll(server: Sqld): () => void {
  const gate = deferred();
  server.gate = () => gate.promise;
  return () => {
    server.gate = undefined;
    gate.resolve();
  };
}

describe('the write queue of the stand-in for libsql-server', () => {
  test('holds three writes of each client at once', async () => {
    const { server, connect, stop } = await startServer();
    const letGo = holdAll(server);
    const clients = [connect(), connect()];
    const writes = clients.flatMap((client) => [1, 2, 3].map(() => client.execute(WRITE)));
    await quiet(server, { underWay: 6 });
    letGo();
    await Promise.all(writes);
    expect(await stored(connect())).toBe(6);
    expect(server.maxWrites).toBe(3);
    await stop();
  });

  test('breaks for good at the fourth, while reads go on, and fails the test that did it', async () => {
    const { server, connect, stop } = await startServer();
    const client = connect();
    const letGo = holdAll(server);
    const answered: string[] = [];
    for (const sql of [WRITE, WRITE, WRITE, WRITE]) {
      client.execute(sql).then(
        () => answered.push(sql),
        () => undefined,
      );
    }
    await quiet(server, { underWay: 4 });
    letGo();
    connect()
      .batch([WRITE], 'write')
      .then(
        () => answered.push('a later write'),
        () => undefined,
      );
    await quiet(server, { underWay: 5 });
    expect(await stored(client)).toBe(0);
    expect(answered).toEqual([]);
    expect((await rejectionOf(stop())).message).toMatch(/client-\d+ had 4 writes under way at once/);
  });

  test.each([
    ['breaks when a client cuts a write off', { cuts: 'break', sql: WRITE, error: /cut a write off/ }],
    ['does not mind a read that is cut off', { cuts: 'break', sql: COUNT, error: undefined }],
    ['does not mind where the test may cut', { cuts: 'allowed', sql: WRITE, error: undefined }],
  ] as const)('%s', async (_, { cuts, sql, error }) => {
    const { server, connect, stop } = await startServer({ cuts });
    const abort = new AbortController();
    const client = connect({ fetch: (request: Request) => fetch(request, { signal: abort.signal }) });
    const letGo = holdAll(server);
    const cut = rejectionOf(client.execute(sql));
    await quiet(server, { underWay: 1 });
    abort.abort();
    await cut;
    await until(() => server.underWay === 0);
    letGo();
    const stopped = await stop().catch((failure: Error) => failure.message);
    if (error === undefined) expect(stopped).toBeUndefined();
    else expect(stopped).toMatch(error);
  });

  test('does not mind what the server itself cuts', async () => {
    const { server, connect, stop } = await startServer();
    server.fault = () => ({ kind: 'drop', when: 'after' });
    await rejectionOf(connect().execute(WRITE));
    server.fault = () => ({ kind: 'hang', when: 'after' });
    connect()
      .execute(WRITE)
      .catch(() => undefined);
    await quiet(server, { underWay: 1 });
    await stop();
  });
});

describe('the speed of the stand-in', () => {
  /** A client that asks for this encoding, and what its reads of a text of `chars` characters took, ms. */
  async function timed({
    encoding,
    ...options
  }: Pick<SqldOptions, 'speed' | 'latencyMs'> & { encoding: string }) {
    const pauses: number[] = [];
    const { connect } = await startServer({ ...options, pause: async (ms) => pauses.push(ms) });
    let bytes = 0;
    const client = connect({
      fetch: async (request: Request) => {
        request.headers.set('accept-encoding', encoding);
        const response = await fetch(request);
        bytes = (await response.clone().arrayBuffer()).byteLength;
        return response;
      },
    });
    return async (chars: number) => {
      pauses.length = 0;
      await client.execute({ sql: "select printf('%*c', ?, 'x')", args: [chars] });
      return { pauses: [...pauses], bytes };
    };
  }

  test('is that of a libsql-server nearby if a test asks for it: 4 ms a request', async () => {
    const read = await timed({ speed: 'measured', encoding: 'identity' });
    expect((await read(100)).pauses).toEqual([4]);
    expect((await read(100_000)).pauses).toEqual([4]);
  });

  test('adds to the latency of a test', async () => {
    const read = await timed({ speed: 'measured', latencyMs: () => 30, encoding: 'identity' });
    expect((await read(100)).pauses).toEqual([34]);
  });

  test.each([100, 10_000, 1_000_000])(
    'takes 2 ms, and 0.62 ms a kB, to compress an answer with %i characters for a client that asks for it',
    async (chars) => {
      const read = await timed({ speed: 'measured', encoding: 'gzip, deflate' });
      const { pauses, bytes } = await read(chars);
      expect(bytes).toBeGreaterThan(chars);
      expect(pauses).toEqual([4, 2 + (bytes / 1000) * 0.62]);
    },
  );

  test('takes no time otherwise', async () => {
    const read = await timed({ encoding: 'gzip, deflate' });
    expect((await read(100_000)).pauses).toEqual([]);
  });
});

test('the lock is taken from a transaction that is slow, and its owner is told', async () => {
  const { connect } = await startServer({ transactionMs: 20 });
  const slow = await connect().transaction('write');
  await slow.execute(WRITE);
  const other = connect();
  await other.execute(WRITE);
  expect(await stored(other)).toBe(1);
  expect((await rejectionOf(slow.execute(WRITE))).message).toContain('Transaction timed out');
});

describe('a replica', () => {
  test('answers reads from the state before the last commits, until it has caught up', async () => {
    const { server, connect } = await startServer({ lag: 2 });
    const client = connect();
    await client.execute(WRITE);
    for (let before = 0; before < 4; before++) {
      await client.execute(WRITE);
      expect(await stored(client)).toBe(before);
    }
    server.catchUp();
    expect(await stored(client)).toBe(5);
  });

  test('passes on batches that write, with their reads, but not those that only read', async () => {
    const { connect } = await startServer({ lag: 1 });
    const client = connect();
    await client.execute(WRITE);
    const [writing] = (await client.batch([COUNT, WRITE], 'write')).slice(0, 1);
    expect(writing?.rows[0]?.stored).toBe(1);
    const [reading] = await client.batch([COUNT], 'write');
    expect(reading?.rows[0]?.stored).toBe(1);
    const transaction = await client.transaction('write');
    expect((await transaction.execute(COUNT)).rows[0]?.stored).toBe(2);
    await transaction.rollback();
  });
});
