import { Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { recordEvents, untilStatus } from '../../support/runs.ts';

contract('a trigger in a transaction of the caller', (test) => {
  test('is stored with what the transaction wrote, and executed after the commit', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    const { one } = durably.register({ one: job('one', (_, input) => input) });
    const events = recordEvents(durably, ['run:trigger']);
    // The claim that the registration asked for would meet the open transaction, and wait by the clock.
    await idle();
    await sql`create table orders (id text)`.execute(durably.db);
    const run = await durably.db.transaction().execute(async (trx) => {
      await sql`insert into orders values ('a')`.execute(trx);
      const stored = await one.trigger(7, { trx, labels: { of: 'a' }, idempotencyKey: 'a' });
      expect(events).toEqual([]);
      expect((await one.trigger(8, { trx, idempotencyKey: 'a' })).id).toBe(stored.id);
      return stored;
    });
    expect(run).toMatchObject({ status: 'pending', payload: 7, disposition: 'created' });
    await untilStatus(durably, run.id, 'completed');
    expect(events).toHaveLength(1);
    const { rows } = await sql`select id from orders`.execute(durably.db);
    expect(rows).toEqual([{ id: 'a' }]);
  });

  test('leaves nothing if the transaction is rolled back', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    const calls: unknown[] = [];
    const { one } = durably.register({ one: job('one', (_, input) => void calls.push(input)) });
    const events = recordEvents(durably, ['run:trigger', 'run:start']);
    await idle();
    const failing = durably.db.transaction().execute(async (trx) => {
      await one.trigger(1, { trx });
      await durably.trigger({ jobName: 'one', input: 2, trx, delay: '1h' });
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await idle();
    expect([await durably.getRuns(), events, calls]).toEqual([[], [], []]);
    const next = await one.trigger(3);
    await untilStatus(durably, next.id, 'completed');
    expect(calls).toEqual([3]);
  });

  test('adds what limits and debounced triggers need in the transaction, if it is missing', async ({
    world,
  }) => {
    const { durably } = await world.idle();
    const { limited } = durably.register({
      limited: defineJob({
        name: 'limited',
        input: z.string(),
        concurrency: { perKey: 1, key: (input) => input },
        run: () => 1,
      }),
    });
    const failing = durably.db.transaction().execute(async (trx) => {
      await limited.trigger('a', { trx });
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    const debounce = { key: 'k', delay: '1h' } as const;
    const ids = await durably.db.transaction().execute(async (trx) => {
      const first = await limited.trigger('a', { trx });
      const later = await limited.trigger('b', { trx, debounce });
      return [first.id, later.id, (await limited.trigger('c', { trx, debounce })).id];
    });
    expect(ids[2]).toBe(ids[1]);
    expect(await durably.getRuns({ fields: ['status', 'payload'] })).toEqual([
      { status: 'waiting', payload: 'c' },
      { status: 'pending', payload: 'a' },
    ]);
    expect(await durably.processOne()).toBe(true);
  });

  test('is refused in another database, in a batch and with what is no transaction', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const other = new Kysely<unknown>({ dialect: (await world.open()).dialect });
    const foreign = other.transaction().execute((trx) => one.trigger(1, { trx }));
    await expect(foreign).rejects.toThrow('trx must be a transaction of durably.db');
    await expect(one.trigger(1, { trx: durably.db })).rejects.toThrow(
      'trx must be a transaction of durably.db',
    );
    await durably.db.transaction().execute(async (trx) => {
      await expect(one.batchTrigger([{ input: 1, options: { trx } }])).rejects.toThrow(
        'trx does not go with a batch',
      );
      await expect(one.triggerAndWait(1, { trx } as never)).rejects.toThrow('trx');
    });
    expect(await durably.getRuns()).toEqual([]);
  });
});
