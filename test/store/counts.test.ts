import { expect } from 'vitest';
import type { OwnerEntry, Store } from '../../src/core/store.ts';
import { contract } from '../support/contract.ts';
import { all, append, claimOne, completed, enqueue, failed, newRun, query, running } from './requests.ts';

/** The numbers of each job that has runs, counted from the list of all runs. */
async function listed(store: Store) {
  const counts = new Map<string, Record<string, number>>();
  for (const { jobName = '', status = '' } of await all(
    (await store.listRuns(query({ limit: 1000 }))).portions,
  )) {
    const of = counts.get(jobName) ?? {};
    of[status] = (of[status] ?? 0) + 1;
    counts.set(jobName, of);
  }
  return Object.fromEntries(counts);
}

/** The numbers that are not 0. */
async function counted(store: Store) {
  const jobs = await store.countRuns();
  const counts = jobs.map(({ jobName, ...numbers }) => [
    jobName,
    Object.fromEntries(Object.entries(numbers).filter(([, count]) => count !== 0)),
  ]);
  return Object.fromEntries(counts.filter(([, numbers]) => Object.keys(numbers ?? {}).length > 0));
}

contract('Store.countRuns', (test) => {
  // Whether somebody has asked before decides what is counted, and what is added.
  test.for([0, 1, 2, 3, 4, 5, 6, 7, 8])('counts what happens after step %i', async (asks, { world }) => {
    const { store } = await world.store();
    const ids: string[] = [];
    const end = (i: number, entry: OwnerEntry) => append(store, { runId: ids[i] ?? '', fence: 1 }, [entry]);
    const steps: (() => Promise<unknown>)[] = [
      async () => {
        for (const _ of Array(4).keys()) ids.push((await running(store)).runId);
        await Promise.all([end(0, completed()), end(1, failed())]);
      },
      async () => await store.command('cancel', ids[2] ?? ''),
      async () => await store.enqueue([newRun({ jobName: 'other' }), newRun({ due: { afterMs: 1e6 } })]),
      async () => await store.command('retry', ids[1] ?? ''),
      async () => await append(store, await claimOne(store), [failed('again')]),
      async () => {
        await store.command('retry', ids[2] ?? '');
        await append(store, await claimOne(store), [completed()]);
      },
      async () => await store.command('delete', ids[0] ?? ''),
      async () =>
        await store.commandAll({
          name: 'delete',
          runs: [1, 2].map((i) => ({ runId: ids[i] ?? '', jobName: 'job' })),
          statuses: ['completed', 'failed'],
        }),
    ];
    for (const [i, step] of steps.entries()) {
      if (i === asks) expect(await counted(store)).toEqual(await listed(store));
      await step();
      if (i > asks && i % 2 === asks % 2)
        expect(await counted(store), `after ${i}`).toEqual(await listed(store));
    }
    expect(await counted(store)).toEqual(await listed(store));
    while (await store.deletePortion());
    expect(await counted(store)).toEqual(await listed(store));
    expect(await counted(store)).toEqual({ other: { pending: 1 }, job: { running: 1, waiting: 1 } });
  });

  test('adds what the journal tells in portions', async ({ world }) => {
    const { store } = await world.store();
    await enqueue(store);
    await store.countRuns();
    for (let i = 0; i < 13; i++) {
      await store.enqueue(
        Array.from({ length: 1_000 }, () => newRun({ jobName: i % 2 === 0 ? 'even' : 'odd' })),
      );
    }
    await store.enqueue(Array.from({ length: 999 }, () => newRun({ jobName: 'odd', due: { afterMs: 1e6 } })));
    expect(await counted(store)).toEqual({
      job: { pending: 1 },
      even: { pending: 7_000 },
      odd: { pending: 6_000, waiting: 999 },
    });
    await store.enqueue(Array.from({ length: 2 }, () => newRun({ jobName: 'odd', due: { afterMs: 1e6 } })));
    expect((await counted(store)).odd).toEqual({ pending: 6_000, waiting: 1_001 });
  });
});
