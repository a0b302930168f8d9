import { setImmediate as nextTurn } from 'node:timers/promises';
import { Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { journalTypes, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

contract('a step that is called after the end of its run', (test) => {
  test('is refused, and its function is not called', async ({ world }) => {
    const { durably } = await world.start();
    const ended = deferred();
    const called: string[] = [];
    const refused = deferred<Error>();
    const { hasty } = durably.register({
      hasty: job('hasty', (step) => {
        void ended.promise.then(() => {
          step.run('late', () => called.push('late')).catch((error: Error) => refused.resolve(error));
        });
        return 'done';
      }),
    });
    const { id } = await hasty.trigger(0);
    await untilStatus(durably, id, 'completed');
    ended.resolve();
    expect(await refused.promise).toMatchObject({ code: 'LEASE_LOST', message: `Run ${id} has ended` });
    expect(called).toEqual([]);
  });
});

contract(
  'writes after the end of a run',
  (test) => {
    test('log lines written while the end is being stored change nothing', async ({ world }) => {
      const { durably, statements } = await world.start();
      const { dialect } = await world.open();
      const other = new Kysely<Record<string, never>>({ dialect });
      const isLocked = deferred();
      let isOver = false;
      let executions = 0;
      let told = 0;
      const { chatty } = durably.register({
        chatty: job('chatty', async (step) => {
          executions++;
          void step.run('left behind', async () => {
            while (!isOver) {
              step.log.info('still here');
              told++;
              await nextTurn();
            }
          });
          await isLocked.promise;
          return 'done';
        }),
      });
      const { id } = await chatty.trigger(0);
      await until(() => executions === 1);
      // Counted before the lock is taken, because a flush that is already on its way may be the one that waits for
      // it.
      const sent = statements.length;
      const transaction = await other.startTransaction().execute();
      await sql`create table if not exists contender (n integer)`.execute(transaction);
      // A flush waits for the lock, the end waits behind the flush, and the step continues to log.
      await until(() => statements.length > sent);
      isLocked.resolve();
      const toldBefore = told;
      await until(() => told > toldBefore + 50);
      await transaction.commit().execute();
      await untilStatus(durably, id, 'completed');
      isOver = true;
      await idle();
      const types = await journalTypes(durably, id);
      expect(types.at(-1)).toBe('run:complete');
      expect(types.filter((type) => type === 'run:complete')).toHaveLength(1);
      expect(executions).toBe(1);
    });
  },
  ({ locks }) => locks === 'refuse',
);
