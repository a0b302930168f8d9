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
    expect(deleted.filter(({ sql }) => sql.startsWith('delete from'))).toHaveLength(1);
  });

  test('another time for a run takes one statement', async ({ world }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    const { id } = await durably.register({ echo }).echo.trigger(1);
    expect(tripsOf(await during(() => durably.reschedule(id, { delay: '1h' })))).toBe(1);
  });

  test('the jobs take three statements, one without counts, and none if there is no job', async ({
    world,
  }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    expect(tripsOf(await during(() => durably.getJobs()))).toBe(0);
    durably.register({ echo });
    await durably.getJobs();
    expect(tripsOf(await during(() => durably.getJobs()))).toBe(3);
    expect(tripsOf(await during(() => durably.getJobs({ counts: false })))).toBe(1);
  });

  test('a purge of few runs takes two statements', async ({ world }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    await durably.register({ echo }).echo.batchTrigger([1, 2, 3]);
    await durably.cancelRuns({ all: true });
    expect(tripsOf(await during(() => durably.purgeRuns({ olderThan: 0 })))).toBe(2);
  });
});
