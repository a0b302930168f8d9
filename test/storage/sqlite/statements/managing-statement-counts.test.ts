import { sql } from 'kysely';
import { expect } from 'vitest';
import { contract } from '../../../support/contract.ts';
import { tripsOf } from '../../../support/dialects/recording-dialect.ts';
import { echo } from '../../../support/jobs.ts';
import { counted } from './counted.ts';

contract('statements', (test) => {
  test('a command for many runs takes a list and one change', async ({ world }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    await durably.register({ echo }).echo.batchTrigger(Array.from({ length: 50 }, (_, i) => i));
    expect(tripsOf(await during(() => durably.cancelRuns({ all: true })))).toBe(2);
    expect(tripsOf(await during(() => durably.retryRuns({ jobName: 'echo' })))).toBe(2);
    expect(tripsOf(await during(() => durably.retryRuns({ jobName: 'echo' })))).toBe(1);
    await durably.cancelRuns({ all: true });
    const deleted = await during(() => durably.deleteRuns({ all: true }));
    expect(deleted.filter(({ sql }) => sql.includes('delete from durably_quick_deletions'))).toHaveLength(1);
  });

  test('another time for a run takes one statement', async ({ world }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    const { id } = await durably.register({ echo }).echo.trigger(1);
    expect(tripsOf(await during(() => durably.reschedule(id, { delay: '1h' })))).toBe(1);
  });

  test('the jobs take four statements, two without counts, and none if there is no job', async ({
    world,
  }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    expect(tripsOf(await during(() => durably.getJobs()))).toBe(0);
    durably.register({ echo });
    await durably.getJobs();
    expect(tripsOf(await during(() => durably.getJobs()))).toBe(4);
    expect(tripsOf(await during(() => durably.getJobs({ counts: false })))).toBe(2);
    expect(tripsOf(await during(() => durably.getJobs({ counts: false, schedules: false })))).toBe(1);
  });

  // The last 10,000 are only read. The others are added 5,000 at a time, or all runs are counted.
  test.for([
    { rows: 49_000, trips: 12 },
    { rows: 51_000, trips: 5 },
  ])(
    'the jobs take $trips statements when $rows rows have come since somebody asked',
    async ({ rows, trips }, { world }) => {
      const { during, durably } = await counted(world);
      await durably.stop();
      const { id } = await durably.register({ echo }).echo.trigger(1);
      await durably.getJobs();
      await durably.db.executeQuery(
        sql`
        with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows})
        insert into durably_journal (run_id, job_name, type) select ${id}, 'echo', 'log:write' from n
      `.compile(durably.db),
      );
      expect(tripsOf(await during(() => durably.getJobs()))).toBe(trips);
      expect(await durably.getJobs()).toMatchObject([{ counts: { pending: 1, running: 0 } }]);
    },
  );

  test('what a monitor asks for takes one statement that reads, however much was not counted yet', async ({
    world,
  }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    const { id } = await durably.register({ echo }).echo.trigger(1);
    await durably.trigger({ jobName: 'echo', input: 2, delay: '1h' });
    const ask = async () => {
      const asked = await during(async () => {
        const { jobs, otherJobs } = await durably.getVitals();
        expect(jobs).toMatchObject([{ jobName: 'echo', pending: 1, waiting: 1, running: 0 }]);
        expect(otherJobs).toEqual({ pending: 0, waiting: 0, running: 0 });
      });
      expect(asked).toHaveLength(1);
      expect(asked[0]?.sql).toMatch(/^\s*with recursive jobs\(name\) as \(\s*select/);
      expect(asked[0]?.sql).not.toMatch(/\b(insert|update|delete|replace)\b/);
    };
    await ask();
    await durably.getJobs();
    await durably.db.executeQuery(
      sql`
      with recursive n(i) as (select 1 union all select i + 1 from n where i < 51000)
      insert into durably_journal (run_id, job_name, type) select ${id}, 'echo', 'log:write' from n
    `.compile(durably.db),
    );
    await ask();
  });

  test('a purge of few runs takes two statements', async ({ world }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    await durably.register({ echo }).echo.batchTrigger([1, 2, 3]);
    await durably.cancelRuns({ all: true });
    expect(tripsOf(await during(() => durably.purgeRuns({ olderThan: 0 })))).toBe(2);
  });
});
