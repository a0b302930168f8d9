import { expect } from 'vitest';
import type { RunQuery } from '../../src/core/lists/run-query.ts';
import { scopedKey } from '../../src/core/triggers/key-scope.ts';
import { contract } from '../support/contract.ts';
import { all, append, claimOne, completed, enqueue, listIds, newRun, query } from './requests.ts';

const HOUR_MS = 3_600_000;

contract('Store.listRuns, by the time of creation', (test) => {
  test('lists the runs created after one time and before another', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const ids: string[] = [];
    for (let hours = 4; hours >= 1; hours--) {
      const id = await enqueue(store, { jobName: hours % 2 === 0 ? 'even' : 'odd', labels: '{"a":"1"}' });
      await tools.ageCreation(id, hours * HOUR_MS);
      ids.unshift(id);
    }
    const [newest, second, third, oldest] = ids;
    const timeOf = async (id = '') => Date.parse((await store.getRun(id))?.createdAt ?? '');
    const createdAfter = await timeOf(oldest);
    const createdBefore = await timeOf(newest);
    const given: [Partial<RunQuery>, (string | undefined)[]][] = [
      [{ createdAfter }, [newest, second, third]],
      [{ createdBefore }, [second, third, oldest]],
      [{ createdAfter, createdBefore }, [second, third]],
      [{ createdAfter, createdBefore, jobNames: ['even'] }, [second]],
      [{ createdAfter, createdBefore, statuses: ['pending', 'failed'] }, [second, third]],
      [{ createdAfter, createdBefore, labels: [['a', '1']] }, [second, third]],
      [{ createdAfter, createdBefore, labels: [['a', '2']] }, []],
      [{ createdAfter, createdBefore, parentRunId: 'none' }, []],
      [{ createdAfter, limit: 1, offset: 1 }, [second]],
      [{ createdAfter: createdBefore }, []],
      [{ createdBefore: createdAfter }, []],
    ];
    for (const [filter, expected] of given) {
      expect(await listIds(store, filter), JSON.stringify(filter)).toEqual(expected);
    }
  });

  test('misses no run when the clock of the database was set back', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    // The hours by which the clock is ahead when each run is created.
    const hours = [0, 1, 3, 0, 2, 4, 0, 1];
    const runs: { id: string; hours: number }[] = [];
    for (const each of hours) {
      const id = await enqueue(store);
      if (each > 0) await tools.ageCreation(id, -each * HOUR_MS);
      runs.unshift({ id, hours: each });
    }
    for (let limit = -0.5; limit < 5; limit++) {
      const time = Date.now() + limit * HOUR_MS;
      const after = runs.filter((run) => run.hours > limit).map(({ id }) => id);
      const before = runs.filter((run) => run.hours < limit).map(({ id }) => id);
      expect(await listIds(store, { createdAfter: time }), `after ${limit}`).toEqual(after);
      expect(await listIds(store, { createdBefore: time }), `before ${limit}`).toEqual(before);
    }
  });
});

contract('Store.listRuns, by a text', (test) => {
  test('finds ids, keys, labels, job names and inputs, newest first and each run once', async ({ world }) => {
    const { store } = await world.store();
    const runs = {
      plain: newRun({ payload: '{"text":"Nothing"}' }),
      job: newRun({ jobName: 'needle' }),
      key: newRun({ idempotencyKey: 'needle' }),
      scoped: newRun({ idempotencyKey: scopedKey('tenant', 'needle') }),
      concurrent: newRun({ concurrencyKey: 'needle', payload: '"the needle"' }),
      labelled: newRun({ labels: '{"a":"needle","b":"needle"}' }),
      input: newRun({ payload: '{"text":"a NEEDLE in \\"hay\\", 100%"}' }),
    };
    for (const run of Object.values(runs)) await store.enqueue([run]);
    const { job, key, scoped, concurrent, labelled, input, plain } = runs;
    const found = (...ids: { id: string }[]) => ids.map(({ id }) => id);
    const every = found(input, labelled, concurrent, scoped, key, job);
    expect(await listIds(store, { q: 'needle' })).toEqual(every);
    expect(await listIds(store, { q: 'needle', limit: 2, offset: 1 })).toEqual(every.slice(1, 3));
    expect(await listIds(store, { q: 'need' })).toEqual(found(input, concurrent));
    expect(await listIds(store, { q: plain.id })).toEqual(found(plain));
    expect(await listIds(store, { q: plain.id.slice(0, -1) })).toContain(plain.id);
    expect(await listIds(store, { q: 'run_' })).toHaveLength(7);
    expect(await listIds(store, { q: plain.id.slice(4) })).toEqual([]);
    expect(await listIds(store, { q: 'in "hay"' })).toEqual(found(input));
    expect(await listIds(store, { q: '100%"' })).toEqual(found(input));
    expect(await listIds(store, { q: '1_0%' })).toEqual([]);
    expect(await listIds(store, { q: 'tenant' })).toEqual([]);
    expect(await listIds(store, { q: '{"a":"needle"}' })).toEqual([]);
  });

  test('finds only runs that match the rest of the filter', async ({ world }) => {
    const { store } = await world.store();
    const one = await enqueue(store, { jobName: 'one', labels: '{"x":"hay","y":"1"}' });
    const two = await enqueue(store, { jobName: 'two', concurrencyKey: 'hay' });
    const ended = await claimOne(store, { jobNames: ['one'] });
    await append(store, ended, [completed()]);
    const given: [Partial<RunQuery>, string[]][] = [
      [{ q: 'hay' }, [two, one]],
      [{ q: 'hay', jobNames: ['one'] }, [one]],
      [{ q: 'hay', statuses: ['pending'] }, [two]],
      [{ q: 'hay', statuses: ['completed', 'failed'], jobNames: ['one', 'two'] }, [one]],
      [{ q: 'hay', labels: [['y', '1']] }, [one]],
      [{ q: 'hay', parentRunId: 'none' }, []],
      [{ q: 'one', jobNames: ['two'] }, []],
      [{ q: 'one', statuses: ['completed'] }, [one]],
      [{ q: 'hay', createdBefore: 1 }, []],
      [{ q: 'hay', createdAfter: 1 }, [two, one]],
    ];
    for (const [filter, expected] of given) {
      expect(await listIds(store, filter), JSON.stringify(filter)).toEqual(expected);
    }
  });

  test('reads pages without a double or a gap while runs are added', async ({ world }) => {
    const { store } = await world.store();
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) {
      const given = i % 2 === 0 ? { payload: '"hay"' } : { labels: '{"kind":"hay"}' };
      ids.unshift(await enqueue(store, given));
    }
    const seen: unknown[] = [];
    for (let before: number | null = null; ; ) {
      const page = await store.listRuns(query({ q: 'hay', limit: 3, before }));
      seen.push(...(await all(page.portions)).map(({ id }) => id));
      await enqueue(store, { payload: '"hay"' });
      if (page.next === null) break;
      before = page.next;
    }
    expect(seen).toEqual(ids);
  });

  test('finds a text in the input of the newest 10,000 runs only', async ({ world }) => {
    const { store } = await world.store();
    const [oldest, next] = [newRun({ payload: '"hay"' }), newRun({ payload: '"hay"' })];
    await store.enqueue([oldest, next]);
    for (let i = 0; i < 9; i++) await store.enqueue(Array.from({ length: 1_000 }, () => newRun()));
    await store.enqueue(Array.from({ length: 999 }, () => newRun()));
    expect(await listIds(store, { q: 'hay' })).toEqual([next.id]);
    await enqueue(store, { jobName: 'other' });
    expect(await listIds(store, { q: 'hay' })).toEqual([]);
    expect(await listIds(store, { q: 'hay', jobNames: ['job'] })).toEqual([next.id]);
  });
});
