import { Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { contract } from '../../../support/contract.ts';
import { idle } from '../../../support/idle.ts';
import { job } from '../../../support/jobs.ts';
import { recordEvents, untilStatus } from '../../../support/runs.ts';
import { deferred, until } from '../../../support/until.ts';

contract(
  'a locked database',
  (test) => {
    test('does not keep stop({ timeoutMs }) from resolving, and the run continues later', async ({
      world,
    }) => {
      const { durably } = await world.start({
        heartbeatInterval: 50,
        staleThreshold: 300,
        pollingInterval: 20,
      });
      const errors = recordEvents(durably, ['worker:error']);
      const gate = deferred();
      const work = job('work', async (step) => {
        await step.run('one', () => gate.promise);
        return 'done';
      });
      const { id } = await durably.register({ work }).work.trigger(0);
      await untilStatus(durably, id, 'running');
      const { dialect } = await world.open();
      const other = new Kysely<Record<string, never>>({ dialect });
      const transaction = await other.startTransaction().execute();
      await sql`create table if not exists contender (n integer)`.execute(transaction);
      await durably.stop({ timeoutMs: 1 });
      // Stop resolved while the lock is held, and reported the missing hand-back. The hand-back itself has not
      // failed yet.
      expect(errors.filter((event) => 'context' in event && event.context === 'hand-back')).toMatchObject([
        { error: 'the database has not taken the runs back' },
      ]);
      await transaction.commit().execute();
      gate.resolve();
      const second = await world.start({ heartbeatInterval: 50, staleThreshold: 300, pollingInterval: 20 });
      second.durably.register({ work });
      await until(async () => (await second.durably.getRun(id))?.status === 'completed');
    });
  },
  ({ locks }) => locks === 'refuse',
);

contract("a user's transaction on durably.db", (test) => {
  test("is not ended by the engine's own writes", async ({ world }) => {
    const { durably, statements } = await world.start();
    await sql`create table ledger (n integer)`.execute(durably.db);
    const { work } = durably.register({ work: job('work', (step) => step.run('one', () => 1)) });
    // No claim is under way that would keep the trigger waiting.
    await idle();
    let triggered: Promise<{ id: string }> | undefined;
    await durably.db.transaction().execute(async (transaction) => {
      await sql`insert into ledger values (1)`.execute(transaction);
      triggered = work.trigger(0);
      // On a file the engine's writes are held back. On a server the first of them is sent and waits there.
      if (world.backend.locks === 'refuse') await idle();
      else await until(() => statements.some(({ sql }) => sql.includes('insert into durably_runs')));
      await sql`insert into ledger values (2)`.execute(transaction);
    });
    const run = await triggered;
    await untilStatus(durably, run?.id ?? '', 'completed');
    const { rows } = await sql<{ n: number }>`select n from ledger order by n`.execute(durably.db);
    expect(rows.map(({ n }) => n)).toEqual([1, 2]);
  });
});
