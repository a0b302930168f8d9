import { sql, type Transaction } from 'kysely';
import { describe, expect, test } from 'vitest';
import type { Durably } from '../../src/create-durably.ts';
import { job } from '../support/jobs.ts';
import { startRemote } from '../support/remote.ts';
import { journalTypes, untilStatus } from '../support/runs.ts';
import type { Fault } from '../support/sqld/faults.ts';
import type { Sqld } from '../support/sqld/server.ts';
import { until } from '../support/until.ts';

/** The ways in which a server or a proxy fails a request in the middle of a transaction, executed or not. */
const FAULTS: Readonly<Record<string, Fault>> = {
  'the connection dies before': { kind: 'drop', when: 'before' },
  'the connection dies after': { kind: 'drop', when: 'after' },
  'half an answer': { kind: 'half' },
  "a proxy's 502 after": { kind: 'status', status: 502, when: 'after' },
  'a busy database': { kind: 'error', code: 'SQLITE_BUSY' },
  'a transaction timeout': { kind: 'error', code: 'TRANSACTION_TIMEOUT' },
  'an expired stream': { kind: 'status', status: 500, body: '{"message":"expired","code":"STREAM_EXPIRED"}' },
  'an invalid baton': { kind: 'status', status: 400, headers: { 'content-type': 'text/plain' } },
};

interface Tables {
  readonly orders: { readonly id: number };
}

const MS = { pollingInterval: 60_000, heartbeatInterval: 1e6, staleThreshold: 2e6 };

/** Resolves when a run has ended, without asking the database. */
const nextEnd = (durably: Durably) =>
  new Promise((resolve) => {
    for (const type of ['run:complete', 'run:fail'] as const) durably.on(type, resolve);
  });

/** Makes the n-th request from now on fail. */
function failAt(server: Sqld, n: number, fault: Fault): void {
  const at = server.requests + n;
  server.fault = (number) => (number === at ? fault : { kind: 'none' });
}

describe.each(Object.entries(FAULTS))('when a request of a transaction meets %s', (_, fault) => {
  test('at any place, what the function wrote and its result are stored once', async () => {
    // A transaction without an answer holds the lock until the server takes it away.
    const { open, server } = await startRemote({ transactionMs: 500, cuts: 'allowed' });
    const durably = open(MS);
    await durably.migrate();
    await sql`create table orders (id integer)`.execute(durably.db);
    const { order } = durably.register({
      order: job('order', (step, input) =>
        step.transaction('store', async (trx: Transaction<Tables>) => {
          await trx
            .insertInto('orders')
            .values({ id: Number(input) })
            .execute();
          return input;
        }),
      ),
    });
    durably.start();
    await until(() => server.requests > 2 && server.underWay === 0);
    const places = [1, 2, 3, 4, 5, 6];
    for (const place of places) {
      failAt(server, place, fault);
      const ended = nextEnd(durably);
      const { id } = await order.trigger(place, { idempotencyKey: `place ${place}` });
      await ended;
      expect(await durably.getRun(id)).toMatchObject({ status: 'completed', attempt: 1, output: place });
      expect(await journalTypes(durably, id)).toEqual([
        ...['run:trigger', 'run:start', 'step:start', 'step:complete', 'run:complete'],
      ]);
    }
    const { rows } = await sql<{ id: number }>`select id from orders order by rowid`.execute(durably.db);
    expect(rows.map(({ id }) => id)).toEqual(places);
  });
});

test.each(['http', 'ws'] as const)('is one transaction over %s', async (protocol) => {
  const { open } = await startRemote();
  const durably = open({ ...MS, protocol });
  await durably.init();
  await sql`create table orders (id integer)`.execute(durably.db);
  const { order } = durably.register({
    order: job('order', (step, input) =>
      step.transaction('store', async (trx: Transaction<Tables>) => {
        await trx
          .insertInto('orders')
          .values({ id: Number(input) })
          .execute();
        if (input === 1) throw new Error('no');
        return input;
      }),
    ),
  });
  const [failed, stored] = await order.batchTrigger([1, 2]);
  await untilStatus(durably, failed?.id ?? '', 'failed');
  expect(await untilStatus(durably, stored?.id ?? '', 'completed')).toMatchObject({ output: 2 });
  const { rows } = await sql<{ id: number }>`select id from orders`.execute(durably.db);
  expect(rows).toEqual([{ id: 2 }]);
});
