import { expect } from 'vitest';
import { RUN_STATUSES } from '../../../src/core/run.ts';
import { type Durably, type RunFilter, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { rejectionOf, untilStatus } from '../../support/runs.ts';
import type { World } from '../../support/world.ts';

const ids = (runs: readonly { id: string }[]) => runs.map(({ id }) => id);

async function indexed(durably: Durably): Promise<unknown[]> {
  return await durably.db
    .selectFrom('durably_labels as l')
    .innerJoin('durably_runs as r', 'r.seq', 'l.run_seq')
    .select(['r.id', 'l.key', 'l.value'])
    .orderBy('l.run_seq')
    .orderBy('l.key')
    .execute();
}

contract('labels', (test) => {
  test('stay with the run through all its states', async ({ world }) => {
    const { durably } = await world.start();
    const { steady } = durably.register({ steady: job('steady', () => 'done') });
    const labels = { org: '1', 'a.b/c-d_e': 'x "y" \\ 👋', constructor: '', 7: 'seven' };
    const run = await steady.trigger(0, { labels });
    expect(run.labels).toEqual(labels);
    expect((await untilStatus(durably, run.id, 'completed')).labels).toEqual(labels);
    const [listed] = await durably.getRuns();
    expect(listed?.labels).toEqual(labels);
  });

  test('are empty for a run without labels, and take no space', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    for (const labels of [undefined, {}]) expect((await handle.trigger(0, { labels })).labels).toEqual({});
    expect(await indexed(durably)).toEqual([]);
    expect(await durably.db.selectFrom('durably_runs').select('labels').distinct().execute()).toEqual([
      { labels: null },
    ]);
  });

  test('are stored with each run of a batch', async ({ world }) => {
    const { durably } = await world.idle();
    const runs = await durably
      .register({ echo })
      .echo.batchTrigger([
        { input: 1, options: { labels: { n: 'one' } } },
        { input: 2 },
        { input: 3, options: { labels: { n: 'three', odd: 'yes' } } },
      ]);
    expect(runs.map(({ labels }) => labels)).toEqual([{ n: 'one' }, {}, { n: 'three', odd: 'yes' }]);
    expect(await indexed(durably)).toEqual([
      { id: runs[0]?.id, key: 'n', value: 'one' },
      { id: runs[2]?.id, key: 'n', value: 'three' },
      { id: runs[2]?.id, key: 'odd', value: 'yes' },
    ]);
  });

  test('are those of the first run with the idempotency key', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const first = await handle.trigger(1, { idempotencyKey: 'k', labels: { org: '1' } });
    const again = await handle.batchTrigger([
      { input: 2, options: { idempotencyKey: 'k', labels: { org: '2' } } },
      { input: 2, options: { idempotencyKey: 'k' } },
    ]);
    expect(again).toEqual([first, first]);
    expect(await indexed(durably)).toEqual([{ id: first.id, key: 'org', value: '1' }]);
    expect(await durably.getRuns({ labels: { org: '2' } })).toEqual([]);
  });

  test('are deleted with their run, and its place can be reused', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const kept = await handle.trigger(0, { labels: { org: '1' } });
    const run = await handle.trigger(1, { labels: { org: '1', more: 'x' } });
    await durably.cancel(run.id);
    await durably.deleteRun(run.id);
    expect(await indexed(durably)).toEqual([{ id: kept.id, key: 'org', value: '1' }]);
    await handle.trigger(2, { labels: { org: '2' } });
    expect(ids(await durably.getRuns({ labels: { org: '1' } }))).toEqual([kept.id]);
    expect(await durably.getRuns({ labels: { more: 'x' } })).toEqual([]);
  });

  const twenty = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, `${i}`]));

  test('can be twenty, with long keys and values', async ({ world }) => {
    const { durably } = await world.idle();
    const labels = { ...twenty, k0: 'v'.repeat(256) };
    const long = { ['k'.repeat(64)]: '👋'.repeat(128) };
    const runs = await durably
      .register({ echo })
      .echo.batchTrigger([labels, long].map((each) => ({ input: 0, options: { labels: each } })));
    expect(runs.map((run) => run.labels)).toEqual([labels, long]);
    expect(ids(await durably.getRuns({ labels }))).toEqual([runs[0]?.id]);
    const jobName = ['echo', ...Array.from({ length: 19 }, (_, i) => `job ${i}`)];
    for (const status of [['pending', 'running'], RUN_STATUSES] as const) {
      expect(ids(await durably.getRuns({ labels, jobName, status }))).toEqual([runs[0]?.id]);
    }
    expect(ids(await durably.getRuns({ labels: long }))).toEqual([runs[1]?.id]);
  });

  const refused: [about: string, fault: string, labels: unknown][] = [
    ['labels', 'must be an object of strings', 'org=1'],
    ['labels', 'must be an object of strings', 7],
    ['labels', 'must be an object of strings', ['org']],
    ['labels', 'must be an object of strings', new Map([['org', '1']])],
    ['labels', 'must have at most 20 keys', { ...twenty, k20: '' }],
    ['labels.org', 'must be one string of at most 256 characters', { org: 1 }],
    ['labels.org', 'must be one string of at most 256 characters', { org: null }],
    ['labels.org', 'must be one string of at most 256 characters', { fine: 'x', org: ['1'] }],
    ['labels.org', 'must be one string of at most 256 characters', { org: 'v'.repeat(257) }],
    ['labels.org', 'must not hold a NUL or a lone surrogate, as ', { org: 'a\0b' }],
    ['labels.org', 'must not hold a NUL or a lone surrogate, as ', { org: '\ud800' }],
    ...['', 'a b', 'ä', 'a\0', "a'", '\udfff', 'a\n', 'k'.repeat(65), '__proto__'].map(
      (key): [string, string, unknown] => [
        `labels.${key.slice(0, 64)}`,
        'must have a key of 1 to 64 letters, digits and ._/-',
        JSON.parse(`{${JSON.stringify(key)}:"x"}`),
      ],
    ),
  ];

  test('are refused by name if they break a limit, and nothing is stored', async ({ world }) => {
    const { durably, statements } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const before = statements.length;
    for (const [about, fault, labels] of refused) {
      const options = { labels } as { labels: Record<string, string> };
      for (const call of [handle.trigger(0, options), handle.batchTrigger([1, { input: 0, options }])]) {
        const error = await rejectionOf(call);
        expect(error).toBeInstanceOf(ValidationError);
        expect(error.message).toMatch(`${about} ${fault}`);
        expect(error.message).toMatch(/, (not|as) .+$/);
        expect((error as ValidationError).issues[0]?.path[0]).toBe('labels');
      }
    }
    expect(statements.length).toBe(before);
  });

  test('in a filter have the same limits', async ({ world }) => {
    const { durably, statements } = await world.idle();
    const before = statements.length;
    for (const [, fault, labels] of refused) {
      const error = await rejectionOf(durably.getRuns({ labels } as RunFilter));
      expect(error).toBeInstanceOf(ValidationError);
      // The issue's path names the parameter, so the message need not.
      expect(error.message).toMatch(/^Invalid filter: labels/);
      expect(error.message).toContain(`: ${fault}`);
    }
    expect(statements.length).toBe(before);
  });
});

const JOBS = ['alpha', 'beta'] as const;
const STATUSES = ['completed', 'running', 'pending'] as const;

/** Runs of two jobs, three statuses and three organisations, interleaved. Every second run has a stage. */
async function populated(world: World): Promise<Durably> {
  const { durably } = await world.idle();
  const handles = durably.register(Object.fromEntries(JOBS.map((name) => [name, job(name, () => 1)])));
  for (let i = 0; i < 72; i++) {
    const labels = {
      ...(i % 4 === 3 ? {} : { org: `${i % 4}` }),
      ...(i % 2 === 0 ? { stage: i % 5 === 0 ? 'test' : 'live' } : {}),
    };
    const run = await handles[JOBS[i % 7 < 4 ? 0 : 1]]?.trigger(i, { labels });
    await durably.db
      .updateTable('durably_runs')
      .set({ status: STATUSES[i % 3] ?? 'pending' })
      .where('id', '=', run?.id ?? '')
      .execute();
  }
  return durably;
}

contract('lists by labels', (test) => {
  test('return the runs that have all of them, newest first', async ({ world }) => {
    const durably = await populated(world);
    const all = await durably.getRuns({ limit: 1000 });
    const labelled: NonNullable<RunFilter['labels']>[] = [
      {},
      { org: '0' },
      { org: '1' },
      { org: '0', stage: 'live' },
      { stage: 'live', org: '2' },
      { stage: 'test' },
      { stage: 'org' },
      { org: '0', other: '' },
      { org: '' },
    ];
    const rest: RunFilter[] = [
      {},
      { limit: 3 },
      { limit: 3, offset: 4 },
      { offset: 17 },
      { jobName: 'alpha' },
      { jobName: ['beta', 'alpha', 'nobody'], limit: 5, offset: 2 },
      { status: 'running' },
      { status: ['running', 'pending'], jobName: 'alpha', limit: 3, offset: 1 },
      { status: ['pending', 'completed'], limit: 4, offset: 1 },
      { jobName: 'beta', status: ['running', 'completed'], limit: 2 },
      { jobName: 'nobody' },
    ];
    for (const labels of labelled) {
      for (const other of rest) {
        const filter = { labels, ...other };
        expect({ filter, runs: await durably.getRuns(filter) }).toEqual({
          filter,
          runs: select(all, filter),
        });
      }
    }
  });

  test("return one job's runs if read from its handle", async ({ world }) => {
    const durably = await populated(world);
    const ofBeta = await durably.getJob('beta')?.getRuns({ labels: { org: '1' } });
    expect(ofBeta).toEqual(await durably.getRuns({ labels: { org: '1' }, jobName: 'beta' }));
    expect(ofBeta?.length).toBeGreaterThan(3);
  });
});

function select<T extends { jobName: string; status: string; labels: Readonly<Record<string, string>> }>(
  all: readonly T[],
  { labels = {}, jobName = [], status = [], limit = 100, offset = 0 }: RunFilter,
): T[] {
  const names = [jobName].flat();
  const statuses: readonly string[] = [status].flat();
  return all
    .filter((run) => Object.entries(labels).every(([key, value]) => run.labels[key] === value))
    .filter((run) => names.length === 0 || names.includes(run.jobName))
    .filter((run) => statuses.length === 0 || statuses.includes(run.status))
    .slice(offset, offset + limit);
}
