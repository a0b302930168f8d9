import { expect } from 'vitest';
import { ConflictError, type Durably, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { journalTypes, nextEvent, recordEvents, rejectionOf, untilStatus } from '../../support/runs.ts';
import { until } from '../../support/until.ts';

const fails = job('fails', async (step) => {
  await step.run('kept', () => 1);
  throw new Error('failed');
});
const hangs = job('hangs', async (step) => {
  await step.run('hang', async (signal) => {
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  });
});

async function statusesOf(durably: Durably, ids: readonly string[]): Promise<unknown[]> {
  return await Promise.all(ids.map(async (id) => (await durably.getRun(id))?.status));
}

async function triggerMany(
  durably: Durably,
  jobName: string,
  labels: readonly Record<string, string>[],
): Promise<string[]> {
  const runs = await Promise.all(labels.map((each) => durably.trigger({ jobName, input: {}, labels: each })));
  return runs.map(({ id }) => id);
}

contract('commands for many runs', (test) => {
  test('cancelRuns cancels the runs that match, and each is told', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ echo, fails });
    const [a, b, c] = await triggerMany(durably, 'echo', [{ t: '1' }, { t: '1' }, { t: '2' }]);
    const events = recordEvents(durably, ['run:cancel']);
    expect(await durably.cancelRuns({ labels: { t: '1' } })).toEqual({ count: 2, more: false });
    expect(await statusesOf(durably, [a, b, c] as string[])).toEqual(['cancelled', 'cancelled', 'pending']);
    expect(events.map((event) => 'runId' in event && event.runId).sort()).toEqual([a, b].sort());
    expect(await journalTypes(durably, a as string)).toEqual(['run:trigger', 'run:cancel']);
    expect(await durably.cancelRuns({ labels: { t: '1' } })).toEqual({ count: 0, more: false });
  });

  test('change the newest runs first, as many as the limit says, and say whether there are more', async ({
    world,
  }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push((await durably.trigger({ jobName: 'echo', input: i })).id);
    expect(await durably.cancelRuns({ jobName: 'echo', limit: 2 })).toEqual({ count: 2, more: true });
    expect(await statusesOf(durably, ids)).toEqual([
      'pending',
      'pending',
      'pending',
      'cancelled',
      'cancelled',
    ]);
    expect(await durably.cancelRuns({ all: true, limit: 3 })).toEqual({ count: 3, more: false });
    expect(await durably.deleteRuns({ status: ['cancelled', 'pending'], limit: 4 })).toEqual({
      count: 4,
      more: true,
    });
    expect((await durably.getRuns()).map(({ id }) => id)).toEqual(ids.slice(0, 1));
  });

  test('change a thousand runs at most', async ({ world }) => {
    const { durably } = await world.idle();
    const handles = durably.register({ echo });
    await handles.echo.batchTrigger(Array.from({ length: 1_001 }, (_, i) => i));
    expect(await durably.cancelRuns({ all: true })).toEqual({ count: 1_000, more: true });
    expect(await durably.cancelRuns({ all: true })).toEqual({ count: 1, more: false });
    expect(await durably.deleteRuns({ all: true })).toEqual({ count: 1_000, more: true });
    expect(await durably.deleteRuns({ jobName: 'echo' })).toEqual({ count: 1, more: false });
    expect(await durably.getRuns()).toEqual([]);
  });

  test('cancelRuns stops executions, and cancels the runs below', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 10 });
    durably.register({
      hangs,
      parent: job('parent', async (step) => await step.invoke('child', 'hangs', {})),
    });
    const parents = await triggerMany(durably, 'parent', [{}, {}, {}]);
    await until(async () => (await durably.getRuns({ jobName: 'hangs', status: 'running' })).length === 3);
    expect(await durably.cancelRuns({ jobName: 'parent' })).toEqual({ count: 3, more: false });
    expect(await statusesOf(durably, parents)).toEqual(['cancelled', 'cancelled', 'cancelled']);
    expect(await durably.getRuns({ jobName: 'hangs', status: 'cancelled' })).toHaveLength(3);
    await until(() => durably.countRunning() === 0);
  });

  test('retryRuns runs failed and cancelled runs again, and wakes the worker', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 3_600_000 });
    let isFixed = false;
    durably.register({
      fails: job('fails', async () => {
        if (!isFixed) throw new Error('failed');
      }),
    });
    const ids = await triggerMany(durably, 'fails', [{}, {}]);
    for (const id of ids) await untilStatus(durably, id, 'failed');
    isFixed = true;
    expect(await durably.retryRuns({ status: ['failed', 'completed'] })).toEqual({ count: 2, more: false });
    for (const id of ids) await untilStatus(durably, id, 'completed');
    expect(await durably.retryRuns({ jobName: 'fails' })).toEqual({ count: 0, more: false });
  });

  test('deleteRuns removes all that belongs to the runs, and subscribers of lists learn of it', async ({
    world,
  }) => {
    const { durably } = await world.start();
    durably.register({ fails, echo });
    const failed = nextEvent(durably, 'run:fail');
    const [id] = await triggerMany(durably, 'fails', [{ t: '1' }]);
    await failed;
    const events = recordEvents(durably, ['run:delete']);
    expect(await durably.deleteRuns({ q: id })).toEqual({ count: 1, more: false });
    expect(await durably.getRun(id as string)).toBeNull();
    expect(events).toMatchObject([{ type: 'run:delete', runId: id, jobName: 'fails' }]);
    await until(async () => {
      const rows = await durably.db.selectFrom('durably_deletions').selectAll().execute();
      return rows.length === 0;
    });
    expect(await journalTypes(durably, id as string)).toEqual(['run:delete']);
    for (const table of ['durably_steps', 'durably_labels'] as const) {
      expect(await durably.db.selectFrom(table).selectAll().execute()).toEqual([]);
    }
  });

  test('a run that was changed in the meantime and does not match any more is left alone', async ({
    world,
  }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    const { id } = await durably.trigger({ jobName: 'echo', input: 1 });
    const other = await durably.trigger({ jobName: 'echo', input: 2 });
    const result = await durably.cancelRuns(
      { jobName: 'echo' },
      { allow: async (run) => void (run.id === id && (await durably.cancel(id))) },
    );
    expect(result).toEqual({ count: 1, more: false });
    expect(await journalTypes(durably, id)).toEqual(['run:trigger', 'run:cancel']);
    expect(await statusesOf(durably, [other.id])).toEqual(['cancelled']);
  });

  test('change nothing if one of the runs is not allowed', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    const ids = await triggerMany(durably, 'echo', [{}, { secret: 'yes' }, {}]);
    const refusal = new ConflictError('not that one');
    const asked: unknown[] = [];
    const cancelling = durably.cancelRuns(
      { jobName: 'echo' },
      {
        allow: ({ payload, labels }) => {
          asked.push(payload);
          if (labels.secret) throw refusal;
        },
      },
    );
    expect(await rejectionOf(cancelling)).toBe(refusal);
    expect(asked).toEqual([{}, {}]);
    expect(await statusesOf(durably, ids)).toEqual(['pending', 'pending', 'pending']);
  });

  test('match nothing with an empty list', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    await triggerMany(durably, 'echo', [{}]);
    expect(await durably.cancelRuns({ jobName: [] })).toEqual({ count: 0, more: false });
    expect(await durably.cancelRuns({ jobName: 'echo', status: [] })).toEqual({ count: 0, more: false });
    expect(await durably.getRuns({ status: 'pending' })).toHaveLength(1);
  });

  test.for([
    [{}, /cancelRuns was given no filter.*all: true/],
    [undefined, /cancelRuns was given no filter/],
    [{ limit: 5 }, /no filter/],
    [{ labels: {} }, /no filter/],
    [{ all: false }, /no filter/],
    [{ all: 'yes' }, /all must be true or false, not "yes"/],
    [
      { status: 'completed' },
      /status must be one of pending, waiting, running to cancel runs, not completed/,
    ],
    [{ jobname: 'echo' }, /Unknown filter member "jobname"; did you mean "jobName"/],
    [{ offset: 1, all: true }, /offset/],
    [{ all: true, limit: 1_001 }, /limit/],
    [{ createdAfter: 'yesterday' }, /createdAfter: must be a Date or an ISO 8601 time.*"yesterday"/],
    [{ q: '' }, /q: must be a string of 1 to 256 characters/],
  ] as const)('cancelRuns refuses %j', async ([filter, message], { world }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    await triggerMany(durably, 'echo', [{}]);
    const error = await rejectionOf(durably.cancelRuns(filter as never));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error.message).toMatch(message);
    expect(await durably.getRuns({ status: 'pending' })).toHaveLength(1);
  });
});
