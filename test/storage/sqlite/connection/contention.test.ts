import { Kysely, sql } from 'kysely';
import { expect, onTestFinished, vi } from 'vitest';
import { DatabaseUnavailableError } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idle } from '../../../support/idle.ts';
import { echo, job } from '../../../support/jobs.ts';
import { nextEvent, rejectionOf, untilStatus } from '../../../support/runs.ts';
import { until } from '../../../support/until.ts';
import type { World } from '../../../support/world.ts';

/** Another connection that holds the write lock until it is told to release it. */
async function holdLock(world: World): Promise<{ release(): Promise<void> }> {
  const { dialect } = await world.open();
  const raw = new Kysely<Record<string, never>>({ dialect });
  const transaction = await raw.startTransaction().execute();
  await sql`create table if not exists contender (n integer)`.execute(transaction);
  return {
    release: async () => {
      await transaction.commit().execute();
    },
  };
}

contract(
  'a lock held by another connection',
  (test) => {
    test('does not hide later writes from other readers', async ({ world }) => {
      const { durably, statements } = await world.idle();
      const { echo: handle } = durably.register({ echo });
      await handle.trigger('before');
      const lock = await holdLock(world);
      const sent = statements.length;
      const waiting = handle.trigger('while locked');
      // Refused once, and tried again at least once.
      await until(() => statements.length >= sent + 2);
      await lock.release();
      const accepted = [await waiting, await handle.trigger('after')];
      const { durably: reader } = await world.idle();
      const payloads = (await reader.getRuns()).map(({ payload }) => payload);
      expect(payloads).toEqual(['after', 'while locked', 'before']);
      for (const run of accepted) expect(await reader.getRun(run.id)).toEqual(run);
      // Nobody holds the lock any more.
      await reader.register({ echo }).echo.trigger('of another');
    });

    test('does not double steps and ends that were written while it was held', async ({ world }) => {
      const { durably, statements } = await world.start();
      const locks: { release(): Promise<void> }[] = [];
      const { stepped } = durably.register({
        stepped: job('stepped', async (step) => {
          await step.run('one', async () => void locks.push(await holdLock(world)));
          await step.run('two', async () => void locks.push(await holdLock(world)));
          return 'done';
        }),
      });
      const run = await stepped.trigger(0);
      for (let i = 1; i <= 2; i++) {
        await until(() => locks.length === i);
        const sent = statements.length;
        await until(() => statements.length >= sent + 2);
        await locks[i - 1]?.release();
      }
      const { durably: reader } = await world.idle();
      expect(await untilStatus(reader, run.id, 'completed')).toMatchObject({
        output: 'done',
        stepCount: 2,
        attempt: 1,
      });
      expect((await reader.getSteps(run.id)).map(({ name }) => name)).toEqual(['one', 'two']);
    });

    test('makes the database unavailable if it is held too long, until it is released', async ({ world }) => {
      const clock = new FakeClock();
      const { durably } = await world.idle({ clock });
      const { echo: handle } = durably.register({ echo });
      const lock = await holdLock(world);
      let isOver = false;
      const refused = rejectionOf(handle.trigger('refused')).finally(() => {
        isOver = true;
      });
      let passedMs = 0;
      await until(() => {
        if (isOver) return true;
        clock.advance(1_000);
        passedMs += 1_000;
        return false;
      });
      const error = await refused;
      expect(error).toBeInstanceOf(DatabaseUnavailableError);
      expect(error).toMatchObject({ permanent: false });
      // The message does not contain the driver's words.
      expect(error.message).not.toMatch(/SQLITE|locked/);
      expect(passedMs).toBeGreaterThanOrEqual(10_000);
      await lock.release();
      await handle.trigger('accepted');
      const { durably: reader } = await world.idle();
      expect((await reader.getRuns()).map(({ payload }) => payload)).toEqual(['accepted']);
    });

    test('is retried after random pauses, not in a loop', async ({ world }) => {
      const clock = new FakeClock();
      const random = vi.spyOn(Math, 'random').mockReturnValue(0.25);
      onTestFinished(() => random.mockRestore());
      const { durably, statements } = await world.idle({ clock });
      const { echo: handle } = durably.register({ echo });
      const lock = await holdLock(world);
      const sent = statements.length;
      let isStored = false;
      const waiting = handle.trigger('while locked').finally(() => {
        isStored = true;
      });
      // The pauses are at least a quarter of 4, 8, 16, … ms, and at most 100 ms.
      const pausesMs = [1, 2, 4, 8, 16, 25, 25];
      for (const [tries, pauseMs] of pausesMs.entries()) {
        await until(() => clock.pendingMs.length > 0);
        await idle();
        expect(statements.length - sent).toBe(tries + 1);
        expect(clock.pendingMs).toEqual([pauseMs]);
        clock.advance(pauseMs);
      }
      await lock.release();
      await until(() => {
        clock.advance(25);
        return isStored;
      });
      expect((await waiting).payload).toBe('while locked');
    });

    test("delays statements until a caller's open transaction ends", async ({ world }) => {
      const { durably } = await world.idle();
      const { echo: handle } = durably.register({ echo });
      await sql`create table mine (n integer)`.execute(durably.db);
      const transaction = await durably.db.startTransaction().execute();
      await sql`insert into mine values (1)`.execute(transaction);
      let isStored = false;
      const waiting = handle.trigger('beside').finally(() => {
        isStored = true;
      });
      await idle();
      expect(isStored).toBe(false);
      await sql`insert into mine values (2)`.execute(transaction);
      await transaction.commit().execute();
      const run = await waiting;
      const { durably: reader } = await world.idle();
      expect(await reader.getRun(run.id)).toEqual(run);
      const { rows } = await sql<{ n: number }>`select n from mine order by n`.execute(reader.db);
      expect(rows.map(({ n }) => n)).toEqual([1, 2]);
    });

    test('delays a health check by at most two seconds', async ({ world }) => {
      const clock = new FakeClock();
      const { durably } = await world.idle({ clock });
      const transaction = await durably.db.startTransaction().execute();
      let isOver = false;
      const health = durably.health().finally(() => {
        isOver = true;
      });
      let passedMs = 0;
      await until(() => {
        if (isOver) return true;
        clock.advance(100);
        passedMs += 100;
        return false;
      });
      expect((await health).database).toBe(false);
      expect(passedMs).toBeGreaterThanOrEqual(2_000);
      expect(passedMs).toBeLessThan(5_000);
      await transaction.rollback().execute();
    });

    test("leaves a caller's transaction on durably.db either complete or absent", async ({ world }) => {
      const { durably } = await world.idle();
      await sql`create table mine (n integer)`.execute(durably.db);
      await durably.db.transaction().execute(async (transaction) => {
        await sql`insert into mine values (1)`.execute(transaction);
        await sql`insert into mine values (2)`.execute(transaction);
      });
      await rejectionOf(
        durably.db.transaction().execute(async (transaction) => {
          await sql`insert into mine values (3)`.execute(transaction);
          throw new Error('changed my mind');
        }),
      );
      const { rows } = await sql<{ n: number }>`select n from mine order by n`.execute(durably.db);
      expect(rows.map(({ n }) => n)).toEqual([1, 2]);
    });
  },
  ({ locks }) => locks === 'refuse',
);

contract('a connection that cannot be renewed', (test) => {
  test('is not used again after it met a lock, unless its driver can renew it', async ({ world }) => {
    const { durably, statements } = await world.start({ withoutReconnect: true, pollingInterval: 5 });
    const { echo: handle } = durably.register({ echo });
    await idle();
    const lock = await holdLock(world);
    const before = statements.length;
    const error = nextEvent(durably, 'worker:error');
    const outcome = handle.trigger('met the lock').then(
      () => null,
      (refused: unknown) => refused,
    );
    if (!world.backend.needsReconnect) {
      // The first statement that needs the lock meets it. On a server, a claim may already wait there.
      if (world.backend.locks === 'refuse') await until(() => statements.length > before);
      await lock.release();
      expect(await outcome).toBeNull();
      return;
    }
    expect(await outcome).toBeInstanceOf(DatabaseUnavailableError);
    expect(await outcome).toMatchObject({ permanent: true });
    expect((await error).context).toBe('claim');
    await lock.release();
    expect(await rejectionOf(handle.trigger('no more'))).toMatchObject({ permanent: true });
    expect(await durably.health()).toEqual({ database: false, worker: false });
    const { durably: reader } = await world.idle();
    expect(await reader.getRuns()).toEqual([]);
  });
});
