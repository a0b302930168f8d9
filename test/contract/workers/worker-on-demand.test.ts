import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo } from '../../support/jobs.ts';
import { journalTypes, recordEvents } from '../../support/runs.ts';

contract('a worker on demand', (test) => {
  test('starts no loop at init, and is healthy', async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.start({ clock, worker: 'on-demand' });
    const run = await durably.register({ echo }).echo.trigger(1);
    durably.start();
    await idle();
    const before = statements.length;
    clock.advance(7_200_000);
    await idle();
    expect(statements.length).toBe(before);
    expect((await durably.getRun(run.id))?.status).toBe('pending');
    expect(await durably.health()).toEqual({ database: true, worker: true });
    expect(await durably.processUntilIdle()).toBe(1);
    expect((await durably.getRun(run.id))?.status).toBe('completed');
  });

  test('removes what old deletions left when a run is deleted, because it has no loop', async ({ world }) => {
    const { durably } = await world.idle({ worker: 'on-demand' });
    const handle = durably.register({ echo }).echo;
    const [old, young] = await handle.batchTrigger([1, 2]);
    await durably.processUntilIdle();
    await durably.deleteRun(old?.id ?? '');
    await durably.db
      .updateTable('durably_journal')
      .set((eb) => ({ created_at: eb('created_at', '-', 25 * 3_600_000) }))
      .execute();
    const events = recordEvents(durably, ['worker:error']);
    await durably.deleteRun(young?.id ?? '');
    expect(await journalTypes(durably, old?.id ?? '')).toEqual([]);
    expect(await journalTypes(durably, young?.id ?? '')).toEqual(['run:delete']);
    expect(events).toEqual([]);
  });

  test('cancels the runs below a run that its shift found to be out of time', async ({ world }) => {
    const { durably } = await world.idle({ worker: 'on-demand' });
    durably.register({ echo });
    const run = { job_name: 'other', payload: '0' };
    await durably.db
      .insertInto('durably_runs')
      .values({ ...run, id: 'late', status: 'waiting', started_at: 1, deadline_at: 1, timeout: '1h' })
      .execute();
    await durably.db
      .insertInto('durably_runs')
      .values({ ...run, id: 'below', parent_run_id: 'late' })
      .execute();
    const events = recordEvents(durably, ['run:cancel', 'worker:error']);
    expect(await durably.processUntilIdle()).toBe(0);
    expect((await durably.getRun('late'))?.error).toBe('timed out after 1h');
    expect((await durably.getRun('below'))?.status).toBe('cancelled');
    expect(events).toMatchObject([{ type: 'run:cancel', runId: 'below' }]);
  });

  test('reads events for a stream once in each polling interval', async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.idle({ clock, worker: 'on-demand', pollingInterval: 900 });
    const run = await durably.register({ echo }).echo.trigger(1);
    const reader = durably.subscribe(run.id).getReader();
    await reader.read();
    void reader.read().catch(() => undefined);
    await idle();
    const before = statements.length;
    clock.advance(899);
    await idle();
    expect(statements.length).toBe(before);
    clock.advance(1);
    await idle();
    expect(statements.length).toBe(before + 1);
    await reader.cancel();
  });
});
