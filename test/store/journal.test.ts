import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'vitest';
import type { ListedJournalRow, Store } from '../../src/core/store.ts';
import { contract } from '../support/contract.ts';
import { append, claim, completed, enqueue, entry, newRun, running, stepCompleted } from './requests.ts';

/** Reads the journal with a cursor, like a stream, until the test says that it is complete. */
async function follow(store: Store, isWhole: () => boolean): Promise<ListedJournalRow[]> {
  const rows: ListedJournalRow[] = [];
  for (;;) {
    const isLast = isWhole();
    const page = await store.readJournal({ after: rows.at(-1)?.sequence ?? 0, limit: 7, withLabels: false });
    rows.push(...page);
    // Small reads of a local database would never let the event loop turn.
    await nextTurn();
    if (isLast && page.length === 0) return rows;
  }
}

contract('the journal', (test) => {
  test('is empty at first, and its head is the newest sequence', async ({ world }) => {
    const { store } = await world.store();
    expect(await store.journalHead()).toBe(0);
    expect(await store.readJournal({ after: 0, limit: 10, withLabels: false })).toEqual([]);
    await enqueue(store);
    const [row] = await store.readJournal({ after: 0, limit: 10, withLabels: false });
    expect(await store.journalHead()).toBe(row?.sequence);
    expect(row).toMatchObject({ type: 'run:trigger', isLeftOver: false, isDataLeft: false, data: null });
  });

  test('is read in pages, oldest first, of all runs or of one', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await enqueue(store);
    await append(store, run, [stepCompleted('one', 0), completed()]);
    const rows = await store.readJournal({ after: 0, limit: 10, withLabels: false });
    expect(rows.map(({ type }) => type)).toEqual([
      'run:trigger',
      'run:start',
      'run:trigger',
      'step:complete',
      'run:complete',
    ]);
    const sequences = rows.map(({ sequence }) => sequence);
    expect(new Set(sequences).size).toBe(5);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    const [, second] = sequences;
    const page = await store.readJournal({ after: second ?? 0, limit: 2, withLabels: false });
    expect(page).toEqual(rows.slice(2, 4));
    const own = await store.readRunJournal({ runId: run.runId, after: 0, limit: 10 });
    expect(own).toEqual(rows.filter(({ runId }) => runId === run.runId));
    expect(await store.readRunJournal({ runId: run.runId, after: second ?? 0, limit: 1 })).toEqual([rows[3]]);
    expect(await store.readRunJournal({ runId: 'unknown', after: 0, limit: 10 })).toEqual([]);
  });

  test('prevents a claim whose event is refused', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const runId = await enqueue(store);
    await tools.refuseEvents('run:start');
    await expect(claim(store)).rejects.toThrow();
    expect(await store.getRun(runId)).toMatchObject({ status: 'pending', attempt: 0 });
  });

  test('prevents a command whose event is refused', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const run = await running(store);
    await tools.refuseEvents('run:cancel');
    await expect(store.command('cancel', run.runId)).rejects.toThrow();
    expect(await store.getRun(run.runId)).toMatchObject({ status: 'running' });
    expect(await store.renew([run])).toHaveLength(1);
  });

  test('returns the labels of a row’s run if they are requested', async ({ world }) => {
    const { store } = await world.store();
    await running(store, { labels: '{"tenant":"a"}' });
    await enqueue(store);
    const rows = await store.readJournal({ after: 0, limit: 10, withLabels: true });
    expect(rows.map(({ labels }) => labels)).toEqual(['{"tenant":"a"}', '{"tenant":"a"}', null]);
  });

  test('leaves out large data, which is read separately', async ({ world }) => {
    const { store } = await world.store();
    const payload = JSON.stringify('é'.repeat(50_000));
    const run = await running(store, { payload });
    const output = JSON.stringify('x'.repeat(50_000));
    const line = entry({ type: 'log:write', level: 'info', message: 'line', data: '[1]' });
    await append(store, run, [line, completed(output)]);
    const rows = await store.readRunJournal({ runId: run.runId, after: 0, limit: 10 });
    expect(rows.map(({ type, data, dataBytes, isDataLeft }) => [type, data, dataBytes, isDataLeft])).toEqual([
      ['run:trigger', null, 0, false],
      ['run:start', null, Buffer.byteLength(payload), true],
      ['log:write', '[1]', 3, false],
      ['run:complete', null, Buffer.byteLength(output), true],
    ]);
    const [, start, , end] = rows.map(({ sequence }) => sequence);
    const data = await store.readJournalData([start ?? 0, end ?? 0, 999_999]);
    expect([...data.keys()].sort((a, b) => a - b)).toEqual([start, end]);
    expect(data.get(start ?? 0) === payload).toBe(true);
    expect(data.get(end ?? 0) === output).toBe(true);
  });

  test('adds no row behind a reader’s place while several processes write', async ({ world }) => {
    const [writer, other, reader] = await Promise.all([world.store(), world.store(), world.store()]);
    let isWritten = false;
    const write = async ({ store }: { store: Store }) => {
      for (let i = 0; i < 10; i++) {
        const calls = [newRun(), newRun({ idempotencyKey: `${i}` }), newRun()].map((run) =>
          store.enqueue([run]),
        );
        await Promise.all(calls);
        const { runs } = await claim(store, { limit: 2 });
        await Promise.all(runs.map((run) => append(store, run, [stepCompleted('one', 0), completed()])));
      }
    };
    const following = follow(reader.store, () => isWritten);
    await Promise.all([write(writer), write(other)]).finally(() => {
      isWritten = true;
    });
    const seen = await following;
    const whole = await reader.store.readJournal({ after: 0, limit: 10_000, withLabels: false });
    expect(seen).toEqual(whole);
    const enqueued = whole.filter(({ type }) => type === 'run:trigger').length;
    expect(enqueued).toBe(50);
  });
});
