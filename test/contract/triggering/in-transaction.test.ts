import { Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { z } from 'zod';
import { DatabaseUnavailableError, defineJob, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { recordEvents, rejectionOf, untilStatus } from '../../support/runs.ts';
import { until } from '../../support/until.ts';
import type { World } from '../../support/world.ts';

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

  test('is refused in a transaction of another instance, and in one that is over', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const other = await world.idle();
    const foreign = other.durably.db.transaction().execute(async (trx) => {
      const refused = await rejectionOf(one.trigger(1, { trx }));
      expect(refused).toBeInstanceOf(ValidationError);
      expect(refused.message).toBe('trx must be a transaction of durably.db');
      return trx;
    });
    await foreign;
    const over = await durably.db.transaction().execute(async (trx) => trx);
    const refused = await rejectionOf(one.trigger(1, { trx: over }));
    expect(refused).toBeInstanceOf(ValidationError);
    expect(refused.message).toBe('trx must be a transaction that is neither committed nor rolled back');
    expect(await durably.getRuns()).toEqual([]);
    expect(await other.durably.getRuns()).toEqual([]);
  });
});

contract(
  'a trigger in a transaction, while another connection writes,',
  (test) => {
    const locked = async (world: World) => {
      const raw = new Kysely<unknown>({ dialect: (await world.open()).dialect });
      const transaction = await raw.startTransaction().execute();
      await sql`create table contender (n integer)`.execute(transaction);
      return { release: async () => void (await transaction.rollback().execute()) };
    };

    /** Lets a fake clock run until the call is answered. */
    const answered = async <T>(clock: FakeClock, call: Promise<T>): Promise<T> => {
      let isAnswered = false;
      const noted = call.finally(() => {
        isAnswered = true;
      });
      noted.catch(() => undefined);
      await until(async () => {
        if (isAnswered) return true;
        await idle();
        clock.advance(250);
        return false;
      });
      return await noted;
    };

    test('waits for it, and is refused after ten seconds', async ({ world }) => {
      const clock = new FakeClock();
      const { durably } = await world.idle({ clock });
      const { one } = durably.register({ one: job('one', () => 1) });
      const inTransaction = () => durably.db.transaction().execute((trx) => one.trigger(1, { trx }));
      const held = await locked(world);
      const startMs = clock.monotonicMs();
      const refused = await answered(clock, rejectionOf(inTransaction()));
      expect(refused).toBeInstanceOf(DatabaseUnavailableError);
      expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(10_000);
      expect(clock.monotonicMs() - startMs).toBeLessThan(11_000);
      const waiting = inTransaction();
      waiting.catch(() => undefined);
      await idle();
      clock.advance(3_000);
      await idle();
      await held.release();
      expect(await answered(clock, waiting)).toMatchObject({ status: 'pending' });
      expect(await durably.getRuns()).toHaveLength(1);
    });

    test('says that a transaction that has read can not wait, and commits nothing of it', async ({
      world,
    }) => {
      const clock = new FakeClock();
      const { durably } = await world.idle({ clock });
      const { one } = durably.register({ one: job('one', () => 1) });
      await sql`create table ledger (n integer)`.execute(durably.db);
      const held = await locked(world);
      let caught: unknown;
      const reading = durably.db.transaction().execute(async (trx) => {
        await sql`select n from ledger`.execute(trx);
        caught = await one.trigger(1, { trx }).catch((error: unknown) => error);
        await sql`insert into ledger values (1)`.execute(trx);
      });
      const refused = await answered(clock, rejectionOf(reading));
      expect(refused).toBeInstanceOf(DatabaseUnavailableError);
      // Some dialects take the lock when a transaction begins, and wait for it then.
      if (caught !== undefined) expect(refused.message).toContain('begin it again');
      await held.release();
      expect((await sql`select n from ledger`.execute(durably.db)).rows).toEqual([]);
      expect(await durably.getRuns()).toEqual([]);
    });
  },
  ({ locks }) => locks === 'refuse',
);
