import { expect } from 'vitest';
import { JsonText } from '../../src/core/json/json-text.ts';
import type { RunQuery } from '../../src/core/lists/run-query.ts';
import { RUN_FIELDS } from '../../src/core/run.ts';
import { contract } from '../support/contract.ts';
import {
  all,
  append,
  claim,
  claimOne,
  completed,
  enqueue,
  failed,
  listIds,
  newRun,
  query,
  running,
} from './requests.ts';

contract('Store.getRun', (test) => {
  test('returns null for an unknown id', async ({ world }) => {
    const { store } = await world.store();
    await enqueue(store);
    for (const id of ['', 'unknown', "' or 1=1 --"]) expect(await store.getRun(id)).toBeNull();
  });
});

contract('Store.listRuns', (test) => {
  test('lists the newest run first, with the same fields as getRun', async ({ world }) => {
    const { store } = await world.store();
    await append(store, await running(store, { payload: '"done"', labels: '{"a":"1"}' }), [completed('[1]')]);
    await append(store, await running(store), [failed()]);
    await running(store, { concurrencyKey: 'k', idempotencyKey: 'i' });
    const last = await enqueue(store);
    const runs = await all((await store.listRuns(query())).portions);
    expect(runs[0]?.id).toBe(last);
    expect(runs.map(({ status }) => status)).toEqual(['pending', 'running', 'failed', 'completed']);
    for (const run of runs) expect(run).toEqual(await store.getRun(run.id ?? ''));
  });

  test('filters by jobs, statuses and labels together', async ({ world }) => {
    const { store } = await world.store();
    const runs = ['a', 'b', 'c'].flatMap((jobName) =>
      ['{"x":"1"}', '{"x":"1","y":"2"}', '{"x":"2"}', null].map((labels) => newRun({ jobName, labels })),
    );
    await store.enqueue(runs);
    for (const jobName of ['a', 'b']) {
      const { runs: claimed } = await claim(store, { jobNames: [jobName], limit: 2 });
      const [first] = claimed;
      if (first) await append(store, first, [completed()]);
    }
    // Of a and b the first run is completed, the second running, the others pending.
    const statusOf = ({ jobName }: { jobName: string }, i: number) =>
      jobName === 'c' ? 'pending' : (['completed', 'running', 'pending', 'pending'] as const)[i % 4];
    const filters: Partial<RunQuery>[] = [
      { jobNames: ['a'] },
      { jobNames: ['c', 'a'] },
      { jobNames: ['unknown'] },
      { statuses: ['pending'] },
      { statuses: ['running', 'completed'] },
      { labels: [['x', '1']] },
      {
        labels: [
          ['x', '1'],
          ['y', '2'],
        ],
      },
      { labels: [['y', '1']] },
      { jobNames: ['a', 'b'], statuses: ['pending', 'running'] },
      { jobNames: ['a', 'c'], labels: [['x', '1']] },
      { statuses: ['completed'], labels: [['x', '1']] },
      { statuses: ['pending', 'running'], labels: [['x', '1']] },
      { jobNames: ['b'], statuses: ['running'], labels: [['y', '2']] },
    ];
    for (const filter of filters) {
      const { jobNames = [], statuses = [], labels = [] } = filter;
      const expected = runs
        .filter((run, i) => {
          const status = statusOf(run, i);
          const own: Record<string, string> = run.labels === null ? {} : JSON.parse(run.labels);
          if (jobNames.length > 0 && !jobNames.includes(run.jobName)) return false;
          if (statuses.length > 0 && !(status && statuses.includes(status))) return false;
          return labels.every(([key, value]) => own[key] === value);
        })
        .map(({ id }) => id)
        .reverse();
      expect(await listIds(store, filter), JSON.stringify(filter)).toEqual(expected);
      // Reads each page, once by offset and once by the place where the page before ended.
      const byOffset: unknown[] = [];
      const byPlace: unknown[] = [];
      let before: number | null = null;
      for (let offset = 0; offset <= expected.length; offset += 2) {
        byOffset.push(...(await listIds(store, { ...filter, offset, limit: 2 })));
        const page = await store.listRuns(query({ ...filter, limit: 2, before }));
        byPlace.push(...(await all(page.portions)).map(({ id }) => id));
        if (page.next === null) break;
        before = page.next;
      }
      expect(byPlace, JSON.stringify(filter)).toEqual(expected);
      expect(byOffset).toEqual(expected.slice(0, byOffset.length));
    }
  });

  test('neither repeats nor skips a run while others are added and deleted', async ({ world }) => {
    const { store } = await world.store();
    const ids: string[] = [];
    for (let i = 0; i < 6; i++) ids.unshift(await enqueue(store));
    const first = await store.listRuns(query({ limit: 2 }));
    expect((await all(first.portions)).map(({ id }) => id)).toEqual(ids.slice(0, 2));
    await enqueue(store);
    await store.command('cancel', ids[1] ?? '');
    await store.command('delete', ids[1] ?? '');
    const second = await store.listRuns(query({ limit: 4, before: first.next }));
    expect((await all(second.portions)).map(({ id }) => id)).toEqual(ids.slice(2));
  });

  test('has no next page after a page that is not full', async ({ world }) => {
    const { store } = await world.store();
    await enqueue(store);
    expect((await store.listRuns(query({ limit: 2 }))).next).toBeNull();
    expect((await store.listRuns(query({ limit: 1, jobNames: ['unknown'] }))).next).toBeNull();
  });

  test('returns only the requested fields', async ({ world }) => {
    const { store } = await world.store();
    const id = await enqueue(store, { payload: '"text"' });
    const { portions } = await store.listRuns(query({ fields: ['status', 'id', 'stepCount'] }));
    expect(await all(portions)).toEqual([{ id, status: 'pending', stepCount: 0 }]);
    const [run] = await all((await store.listRuns(query({ fields: ['payload'] }))).portions);
    expect(Object.keys(run ?? {})).toEqual(['payload']);
    expect(run?.payload?.text).toBe('"text"');
  });

  test('returns any field or two alone, however large the values of its run are', async ({ world }) => {
    const { store } = await world.store();
    const text = JSON.stringify('x'.repeat(9_000));
    await append(store, await running(store, { payload: text }), [completed(text)]);
    const { note, atMs } = failed();
    await append(store, await running(store, { payload: text }), [{ note: { ...note, data: text }, atMs }]);
    const whole = await all((await store.listRuns(query())).portions);
    expect(whole.map(({ payload, output, errorDetail }) => [payload, output ?? errorDetail])).toEqual(
      whole.map(() => [new JsonText(text), new JsonText(text)]),
    );
    for (const one of RUN_FIELDS) {
      for (const other of RUN_FIELDS) {
        // A page that is longer than a hundred is read by its places.
        for (const limit of one === other ? [100, 1_000] : [100]) {
          const { portions } = await store.listRuns(query({ fields: [one, other], limit }));
          const picked = whole.map((run) => ({ [one]: run[one], [other]: run[other] }));
          expect(await all(portions), `${one} and ${other}`).toEqual(picked);
        }
      }
    }
  });

  test('returns large values in portions, none of them much larger than a megabyte', async ({ world }) => {
    const { store } = await world.store();
    const payload = JSON.stringify('x'.repeat(400_000));
    await store.enqueue(Array.from({ length: 12 }, () => newRun({ payload })));
    const { portions } = await store.listRuns(query());
    let count = 0;
    for await (const portion of portions) {
      const chars = portion.reduce((sum, run) => sum + (run.payload?.text.length ?? 0), 0);
      expect(chars).toBeLessThan(2_000_000);
      for (const run of portion) expect(run.payload?.text === payload).toBe(true);
      count += portion.length;
    }
    expect(count).toBe(12);
  });

  test('lists more than a hundred at once', async ({ world }) => {
    const { store } = await world.store();
    const runs = Array.from({ length: 250 }, () => newRun());
    await store.enqueue(runs);
    const ids = runs.map(({ id }) => id).reverse();
    expect(await listIds(store, { limit: 1_000 })).toEqual(ids);
    expect(await listIds(store, { limit: 120, offset: 10 })).toEqual(ids.slice(10, 130));
  });

  test('leaves out runs that were deleted since the page was read', async ({ world }) => {
    const { store } = await world.store();
    const payload = JSON.stringify('x'.repeat(900_000));
    const runs = Array.from({ length: 4 }, () => newRun({ payload }));
    await store.enqueue(runs);
    const { portions } = await store.listRuns(query());
    const oldest = await claimOne(store);
    await append(store, oldest, [completed()]);
    await store.command('delete', oldest.runId);
    const ids = (await all(portions)).map(({ id }) => id);
    expect(ids.filter((id) => id !== oldest.runId)).toEqual(
      runs
        .slice(1)
        .map(({ id }) => id)
        .reverse(),
    );
  });
});
