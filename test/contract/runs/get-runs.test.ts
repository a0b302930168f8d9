import { expect, onTestFinished, vi } from 'vitest';
import type { RunFilter } from '../../../src/core/lists/run-query.ts';
import { RUN_STATUSES } from '../../../src/core/run.ts';
import { type Durably, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { nextEvent, rejectionOf, untilStatus } from '../../support/runs.ts';
import type { World } from '../../support/world.ts';

const JOBS = ['alpha', 'beta', 'gamma'] as const;

/** Three jobs with three runs of each status, interleaved. */
async function populated(world: World): Promise<Durably> {
  const { durably } = await world.idle();
  const handles = durably.register(Object.fromEntries(JOBS.map((name) => [name, job(name, () => 1)])));
  for (let round = 0; round < 3; round++) {
    for (const status of RUN_STATUSES) {
      for (const name of JOBS) {
        const run = await handles[name]?.trigger({ round });
        // The statuses are set directly, because only the filter is tested.
        await durably.db
          .updateTable('durably_runs')
          .set({ status })
          .where('id', '=', run?.id ?? '')
          .execute();
      }
    }
  }
  return durably;
}

const pairs = [
  {},
  { jobName: 'beta' },
  { jobName: ['beta'] },
  { jobName: ['gamma', 'alpha'] },
  { jobName: ['alpha', 'alpha', 'nobody'] },
  { jobName: 'nobody' },
  { jobName: [] },
  { status: 'failed' },
  { status: ['failed', 'pending'] },
  { status: ['failed', 'failed'] },
  { status: [...RUN_STATUSES] },
  { status: [] },
  { jobName: 'alpha', status: 'running' },
  { jobName: ['alpha', 'beta'], status: ['completed', 'cancelled', 'running'] },
  { jobName: [...JOBS], status: [...RUN_STATUSES], limit: 7, offset: 5 },
  { limit: 4 },
  { limit: 4, offset: 43 },
  { offset: 54 },
  { jobName: 'alpha', limit: 2, offset: 13 },
  { status: 'pending', limit: 1 },
] satisfies RunFilter[];

contract('getRuns', (test) => {
  test('returns the runs that match the filter, newest first', async ({ world }) => {
    const durably = await populated(world);
    const all = await durably.getRuns({ limit: 1000 });
    expect(all).toHaveLength(54);
    expect(all[0]).toMatchObject({ jobName: 'gamma', status: 'cancelled', payload: { round: 2 } });
    const createdAt = all.map((run) => run.createdAt);
    expect(createdAt).toEqual(createdAt.toSorted().reverse());
    for (const filter of pairs) {
      expect({ filter, runs: await durably.getRuns(filter) }).toEqual({ filter, runs: select(all, filter) });
    }
  });

  test('shows nothing for an empty list, in a list, a page and a stream alike', async ({ world }) => {
    const durably = await populated(world);
    for (const filter of [{ jobName: [] }, { status: [] }, { jobName: [], labels: { a: '1' } }]) {
      expect(await durably.getRuns(filter)).toEqual([]);
      expect(await durably.getRunsPage(filter)).toEqual({ runs: [], nextCursor: null });
      expect(await durably.jobs.alpha?.getRuns({ status: [] })).toEqual([]);
    }
    const streams = [await durably.openRunListFeed({ after: 0, jobNames: [] })];
    streams.push(await durably.openRunListFeed({ after: 0, jobNames: ['alpha'] }));
    const [none, some] = streams.map(({ cursor }) => cursor.next());
    expect(await some).not.toBeNull();
    for (const { cursor } of streams) cursor.close();
    expect(await none).toBeNull();
    expect(await rejectionOf(durably.getRuns({ jobName: [], limit: 0 }))).toBeInstanceOf(ValidationError);
  });

  test('returns at most a hundred by default', async ({ world }) => {
    const { durably } = await world.idle();
    const { many } = durably.register({ many: job('many', () => 1) });
    await many.batchTrigger(Array.from({ length: 130 }, (_, i) => i));
    expect((await durably.getRuns()).map(({ payload }) => payload)).toEqual(
      Array.from({ length: 100 }, (_, i) => 129 - i),
    );
    expect(await many.getRuns()).toHaveLength(100);
  });

  test("keeps the insertion order when the database's clock goes back", async ({ world }) => {
    const durably = await populated(world);
    const before = (await durably.getRuns()).map(({ id }) => id);
    await durably.db
      .updateTable('durably_runs')
      .set((eb) => ({ created_at: eb('created_at', '-', eb(eb.val(1_000_000), '*', eb.ref('seq'))) }))
      .execute();
    expect((await durably.getRuns()).map(({ id }) => id)).toEqual(before);
    expect((await durably.getRuns({ jobName: ['alpha', 'beta'], limit: 1 }))[0]?.jobName).toBe('beta');
  });

  test('accepts filters and limits at their bounds', async ({ world }) => {
    const { durably } = await world.idle();
    expect(await durably.getRuns({ limit: 1000, offset: 100_000 })).toEqual([]);
    expect(await durably.getRuns({ limit: 1, offset: 0 })).toEqual([]);
    const twenty = Array.from({ length: 20 }, (_, i) => `job ${i}`);
    expect(await durably.getRuns({ jobName: twenty, status: [...RUN_STATUSES] })).toEqual([]);
    expect(await durably.getRuns({ jobName: undefined, status: undefined, limit: undefined })).toEqual([]);
  });

  test.for([
    ['limit', { limit: 0 }],
    ['limit', { limit: 1001 }],
    ['limit', { limit: -1 }],
    ['limit', { limit: 1.5 }],
    ['limit', { limit: Number.NaN }],
    ['limit', { limit: '10' as never }],
    ['limit', { limit: null as never }],
    ['offset', { offset: -1 }],
    ['offset', { offset: 100_001 }],
    ['offset', { offset: 0.5 }],
    ['offset', { offset: Number.POSITIVE_INFINITY }],
    ['status', { status: 'bogus' as never }],
    ['status', { status: ['pending', 'bogus'] as never }],
    ['status', { status: 'COMPLETED' as never }],
    ['status', { status: 1 as never }],
    ['status', { status: Array(21).fill('pending') }],
    ['jobName', { jobName: 7 as never }],
    ['jobName', { jobName: [7] as never }],
    ['jobName', { jobName: Array.from({ length: 21 }, (_, i) => `job ${i}`) }],
  ] as const)('refuses a bad %s: %j', async ([name, filter], { world }) => {
    const { durably } = await world.idle();
    const error = await rejectionOf(durably.getRuns(filter));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error.message).toContain(name);
    expect((error as ValidationError).issues[0]?.path[0]).toBe(name);
  });

  test.for([
    [{ status: 'done' }, 'status: must be one of pending, waiting, running, completed, failed, cancelled'],
    [{ status: ['failed', 'done'] }, 'not "done"'],
    [{ jobName: 5 }, 'jobName: must be a text, or a list of at most 20, not 5'],
    [{ jobName: Array(21).fill('a') }, 'not 21'],
    [{ limit: 0 }, 'limit: Too small: expected number to be >=1, not 0'],
    [{ offset: 'x' }, 'not "x"'],
    [{ labels: { org: 7 } }, 'labels.org: must be one string of at most 256 characters, not 7'],
    [
      { labels: { 'a b': 'x' } },
      'labels.a b: must have a key of 1 to 64 letters, digits and ._/-, not "a b"',
    ],
    [{ createdAfter: 'x' }, 'createdAfter: must be a Date or an ISO 8601 time with a time zone, not "x"'],
    [{ q: '' }, 'q: must be a string of 1 to 256 characters, not ""'],
  ] as const)('refuses a filter with the member and its value: %j', async ([filter, message], { world }) => {
    const { durably } = await world.idle();
    expect((await rejectionOf(durably.getRuns(filter as never))).message).toContain(message);
  });
});

function select<T extends { jobName: string; status: string }>(all: readonly T[], filter: RunFilter): T[] {
  const { jobName = JOBS, status = RUN_STATUSES, limit = 100, offset = 0 } = filter;
  const names: readonly string[] = [jobName].flat();
  const statuses: readonly string[] = [status].flat();
  return all
    .filter((run) => names.includes(run.jobName))
    .filter((run) => statuses.includes(run.status))
    .slice(offset, offset + limit);
}

contract('stored times', (test) => {
  test("come from the database's clock, whatever this process's clock says", async ({ world }) => {
    const begunAt = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: begunAt + 60 * 60 * 1000 });
    onTestFinished(() => void vi.useRealTimers());
    const { durably } = await world.start();
    const { task } = durably.register({
      task: job('task', async (step, input) => {
        await step.run('one', () => step.log.info('line'));
        if (input === 'fail') throw new Error('failed');
        if (input === 'hang') await new Promise(() => undefined);
      }),
    });
    const { id: failing } = await task.trigger('fail');
    await untilStatus(durably, failing, 'failed');
    await durably.retry(failing);
    await untilStatus(durably, failing, 'failed');
    await durably.stop();
    await durably.retry(failing);
    const { id: hanging } = await task.trigger('hang');
    await durably.cancel(failing);
    const atOne = nextEvent(durably, 'step:complete', hanging);
    durably.start();
    await atOne;
    await durably.stop({ timeoutMs: 0 });
    expect((await durably.getRuns()).map(({ status }) => status)).toEqual(['pending', 'cancelled']);
    const rows = await durably.db.selectFrom('durably_journal').select('created_at').execute();
    const runs = await durably.getRuns();
    const times = [
      ...rows.map(({ created_at }) => created_at),
      ...runs.flatMap(({ createdAt, startedAt, completedAt, updatedAt, heartbeatAt }) =>
        [createdAt, startedAt, completedAt, updatedAt, heartbeatAt].flatMap((time) =>
          time === null ? [] : [Date.parse(time)],
        ),
      ),
    ];
    expect(Math.min(...times)).toBeGreaterThanOrEqual(begunAt);
    expect(Math.max(...times)).toBeLessThan(Date.now() - 30 * 60 * 1000);
  });
});
