import { expect } from 'vitest';
import { type Durably, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { journalTypes, recordEvents, rejectionOf, untilStatus } from '../../support/runs.ts';
import { until } from '../../support/until.ts';

const DAY_MS = 86_400_000;

const fails = job('fails', async (step) => {
  await step.run('kept', () => step.log.info('line'));
  throw new Error('failed');
});

/** A completed, a failed and a cancelled run, and a pending one. */
async function endedRuns(durably: Durably) {
  durably.register({ echo, fails });
  const completed = await durably.trigger({ jobName: 'echo', input: 1, labels: { t: '1' } });
  await untilStatus(durably, completed.id, 'completed');
  const failed = await durably.trigger({ jobName: 'fails', input: 1 });
  await untilStatus(durably, failed.id, 'failed');
  const cancelled = await durably.trigger({ jobName: 'echo', input: 1, delay: '1h' });
  await durably.cancel(cancelled.id);
  const pending = await durably.trigger({ jobName: 'echo', input: 1, delay: '1h' });
  return { completed: completed.id, failed: failed.id, cancelled: cancelled.id, pending: pending.id };
}

async function idsOf(durably: Durably): Promise<string[]> {
  return (await durably.getRuns()).map(({ id }) => id);
}

contract('purgeRuns', (test) => {
  test('deletes the runs that ended so long ago, with all that belongs to them', async ({ world }) => {
    const { durably } = await world.start();
    const tools = await world.tools();
    const ids = await endedRuns(durably);
    const events = recordEvents(durably, ['run:delete']);
    expect(await durably.purgeRuns({ olderThan: '1d' })).toEqual({ count: 0, more: false });
    await tools.ageEnd(ids.completed, 2 * DAY_MS);
    await tools.ageEnd(ids.failed, 2 * DAY_MS);
    expect(await durably.purgeRuns({ olderThan: '1d', status: 'failed' })).toEqual({ count: 1, more: false });
    expect(await idsOf(durably)).toEqual([ids.pending, ids.cancelled, ids.completed]);
    expect(await durably.purgeRuns({ olderThan: DAY_MS })).toEqual({ count: 1, more: false });
    expect(await idsOf(durably)).toEqual([ids.pending, ids.cancelled]);
    expect(events).toMatchObject([{ runId: ids.failed }, { runId: ids.completed }]);
    expect(await journalTypes(durably, ids.failed)).toEqual(['run:delete']);
    for (const table of ['durably_steps', 'durably_labels', 'durably_deletions'] as const) {
      expect(await durably.db.selectFrom(table).selectAll().execute()).toEqual([]);
    }
    expect(await durably.purgeRuns({ olderThan: 0 })).toEqual({ count: 1, more: false });
    expect(await idsOf(durably)).toEqual([ids.pending]);
  });

  test('deletes the oldest runs first, as many as the limit says', async ({ world }) => {
    const { durably } = await world.idle();
    const tools = await world.tools();
    const { echo: handle } = durably.register({ echo });
    const runs = await handle.batchTrigger([1, 2, 3, 4, 5]);
    await durably.cancelRuns({ all: true });
    for (const [i, { id }] of runs.entries()) await tools.ageEnd(id, ((i * 2) % 5) * DAY_MS);
    expect(await durably.purgeRuns({ olderThan: 0, limit: 2 })).toEqual({ count: 2, more: true });
    expect(new Set(await idsOf(durably))).toEqual(new Set([0, 1, 3].map((i) => runs[i]?.id)));
    expect(await durably.purgeRuns({ olderThan: 0, limit: 3 })).toEqual({ count: 3, more: false });
  });

  test('deletes more runs than fit into one portion', async ({ world }) => {
    const { durably } = await world.idle();
    await durably.register({ echo }).echo.batchTrigger(Array.from({ length: 250 }, (_, i) => i));
    await durably.cancelRuns({ all: true });
    expect(await durably.purgeRuns({ olderThan: 0 })).toEqual({ count: 250, more: false });
    expect(await idsOf(durably)).toEqual([]);
  });

  test('keeps a run while one that it started is active', async ({ world }) => {
    const { durably } = await world.start();
    durably.register({
      echo,
      parent: job('parent', async (step) => await step.trigger('child', 'echo', {}, { delay: '1h' })),
    });
    const parent = await durably.trigger({ jobName: 'parent', input: 1 });
    await untilStatus(durably, parent.id, 'completed');
    expect(await durably.purgeRuns({ olderThan: 0 })).toEqual({ count: 0, more: false });
    await durably.cancelRuns({ parentRunId: parent.id });
    expect(await durably.purgeRuns({ olderThan: 0 })).toEqual({ count: 2, more: false });
  });

  test('removes each run once when several processes do it', async ({ world }) => {
    const { durably } = await world.idle();
    const { durably: other } = await world.idle();
    await durably.register({ echo }).echo.batchTrigger(Array.from({ length: 300 }, (_, i) => i));
    await durably.cancelRuns({ all: true });
    const results = await Promise.all([durably, other].map((each) => each.purgeRuns({ olderThan: 0 })));
    expect(results.reduce((sum, { count }) => sum + count, 0)).toBe(300);
  });

  test.for([
    [undefined, /olderThan must be a duration.*not undefined/],
    [{ olderThan: 'soon' }, /olderThan must be a duration.*not "soon"/],
    [{ olderThan: -1 }, /olderThan must be a duration.*not -1/],
    [
      { olderThan: 0, status: 'running' },
      /status must be one of completed, failed, cancelled, not "running"/,
    ],
    [{ olderThan: 0, limit: 0 }, /limit must be a whole number from 1 to 1000, not 0/],
    [{ olderThan: 0, older: 1 }, /Unknown purgeRuns option "older"; did you mean "olderThan"/],
  ] as const)('refuses %j', async ([options, message], { world }) => {
    const { durably } = await world.idle();
    const error = await rejectionOf(durably.purgeRuns(options as never));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error.message).toMatch(message);
  });
});

contract('retainRuns', (test) => {
  test('removes the runs of each status in its time', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock, retainRuns: { completed: '1d', failed: '3d' } });
    const tools = await world.tools();
    durably.register({ echo, fails });
    const ids: string[] = [];
    for (const jobName of ['echo', 'fails']) {
      const { id } = await durably.trigger({ jobName, input: 1 });
      await idle();
      ids.push(id);
    }
    await until(async () => (await durably.getRuns({ status: ['completed', 'failed'] })).length === 2);
    const cancelled = await durably.trigger({ jobName: 'echo', input: 1, delay: '1h' });
    await durably.cancel(cancelled.id);
    ids.push(cancelled.id);
    for (const id of ids) await tools.ageEnd(id, 2 * DAY_MS);
    clock.advance(60_000);
    await until(async () => (await idsOf(durably)).length === 2);
    expect(await idsOf(durably)).toEqual([cancelled.id, ids[1]]);
    for (const id of ids) await tools.ageEnd(id, 2 * DAY_MS);
    clock.advance(60_000);
    await until(async () => (await idsOf(durably)).length === 1);
    expect(await idsOf(durably)).toEqual([cancelled.id]);
  });

  test('removes runs after the shift of a worker on demand', async ({ world }) => {
    const { durably } = await world.instance({ worker: 'on-demand', retainRuns: 0 });
    await durably.migrate();
    durably.register({ echo });
    await durably.trigger({ jobName: 'echo', input: 1 });
    await durably.processUntilIdle();
    await durably.processUntilIdle();
    expect(await idsOf(durably)).toEqual([]);
  });

  test.for([
    ['soon', /retainRuns must be a duration.*not "soon"/],
    [{ completed: -1 }, /retainRuns.completed must be a duration.*not -1/],
    [{ running: '1d' }, /Unknown member of retainRuns "running"/],
    [null, /retainRuns must be a duration/],
  ] as const)('refuses %j', async ([retainRuns, message], { world }) => {
    const error = await rejectionOf(world.instance({ retainRuns: retainRuns as never }));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error.message).toMatch(message);
  });
});
