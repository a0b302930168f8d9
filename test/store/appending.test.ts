import { expect } from 'vitest';
import type { OwnerEntry } from '../../src/core/store.ts';
import { contract } from '../support/contract.ts';
import {
  all,
  append,
  claimOne,
  completed,
  entry,
  eventTypes,
  failed,
  running,
  snapshot,
  stepCompleted,
  stepFailed,
} from './requests.ts';

contract('Store.append', (test) => {
  test('writes each entry as an event, in order, with the attempt', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    const entries: OwnerEntry[] = [
      entry({ type: 'log:write', level: 'warn', message: 'a line', data: '[1]', stepName: null }),
      entry({ type: 'step:start', stepName: 'one', stepIndex: 0 }),
      entry({ type: 'run:progress', data: '{"current":1}' }),
      entry({ type: 'step:complete', stepName: 'one', stepIndex: 0, data: '{"a": 1}', durationMs: 12 }),
      entry({ type: 'step:fail', stepName: 'two', stepIndex: 1, message: 'no', data: '{"name":"E"}' }),
      entry({ type: 'run:complete', data: '"out"', durationMs: 40 }),
    ];
    expect(await append(store, run, entries)).toBe('stored');
    const { rows } = await store.readRunJournal({ runId: run.runId, after: 0, limit: 10 });
    const written = rows.slice(2);
    expect(written).toMatchObject(entries.map(({ note }) => ({ ...note, attempt: 1, jobName: 'job' })));
    const sequences = rows.map(({ sequence }) => sequence);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
  });

  test('sets an event’s time to the database’s clock less the event’s age', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    const line = { type: 'log:write', level: 'info', message: 'line' } as const;
    await append(store, run, [entry(line, 5_000), entry(line, 0)]);
    const {
      rows: [, , earlier, later],
    } = await store.readRunJournal({ runId: run.runId, after: 0, limit: 10 });
    expect((later?.createdAt ?? 0) - (earlier?.createdAt ?? 0)).toBe(5_000);
  });

  test('stores a step’s result, and counts it', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await append(store, run, [stepCompleted('one', 0, '{"a": 1.0}')]);
    const [step] = await all(store.listSteps(run.runId));
    expect(step).toMatchObject({ name: 'one', index: 0, status: 'completed', error: null });
    expect(step?.output?.text).toBe('{"a": 1.0}');
    expect(await store.getRun(run.runId)).toMatchObject({ stepCount: 1, status: 'running' });
  });

  test('replaces a step’s failed outcome, but never a completed one', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    const steps = async () =>
      (await all(store.listSteps(run.runId))).map(({ status, index, output }) => [
        status,
        index,
        output?.text,
      ]);
    await append(store, run, [stepFailed('one', 0)], 1);
    expect(await steps()).toEqual([['failed', 0, undefined]]);
    await append(store, run, [stepCompleted('one', 1, '"result"')], 2);
    expect(await steps()).toEqual([['completed', 1, '"result"']]);
    await append(store, run, [stepFailed('one', 2)], 3);
    expect(await steps()).toEqual([['completed', 1, '"result"']]);
  });

  test('ends the run as completed, with its output', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await append(store, run, [completed('{"b": 1,"a":2.50}')]);
    const stored = await store.getRun(run.runId);
    expect(stored).toMatchObject({ status: 'completed', error: null, completedAt: expect.any(String) });
    expect(stored?.output?.text).toBe('{"b": 1,"a":2.50}');
  });

  test('ends the run as failed, with its error and the step that failed it', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await append(store, run, [failed('for a reason')]);
    expect(await store.getRun(run.runId)).toMatchObject({
      status: 'failed',
      error: 'for a reason',
      errorDetail: { text: '{"name":"Error"}' },
      failedStepName: 'step',
      output: null,
      completedAt: expect.any(String),
    });
  });

  test('keeps the latest progress', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    const progress = (current: number) => entry({ type: 'run:progress', data: `{"current":${current}}` });
    await append(store, run, [progress(1), progress(2)]);
    expect(await store.getRun(run.runId)).toMatchObject({ progress: { current: 2 }, status: 'running' });
  });

  test('stores a large result unchanged', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    const text = JSON.stringify('é"\\😀'.repeat(200_000));
    await append(store, run, [stepCompleted('one', 0, text)], 1);
    await append(store, run, [completed(text)], 2);
    const [step] = await all(store.listSteps(run.runId));
    expect(step?.output?.text === text).toBe(true);
    expect((await store.getRun(run.runId))?.output?.text === text).toBe(true);
  });

  test('stores steps and the end of their run together and in order, once, for several runs at once', async ({
    world,
  }) => {
    const { store } = await world.store();
    const runs = [await running(store), await running(store)];
    const entries = [stepCompleted('one', 0), stepCompleted('two', 1), completed('"end"')];
    for (const isRepeated of [false, true]) {
      const results = await Promise.all(runs.map((run) => append(store, run, entries, 1, isRepeated)));
      expect(results).toEqual(['stored', 'stored']);
    }
    for (const { runId } of runs) {
      expect((await store.getRun(runId))?.status).toBe('completed');
      expect((await eventTypes(store, runId)).slice(2)).toEqual([
        'step:complete',
        'step:complete',
        'run:complete',
      ]);
    }
    const [late] = runs;
    if (late === undefined) throw new Error('there is no run');
    expect(await append(store, late, [stepCompleted('three', 2), completed()], 2)).toBe('refused');
    expect(await eventTypes(store, late.runId)).toHaveLength(5);
  });

  test('stores an append once if it is sent twice, even if it ended the run', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    for (const isRepeated of [false, true]) {
      expect(await append(store, run, [stepCompleted('one', 0)], 1, isRepeated)).toBe('stored');
    }
    for (const isRepeated of [false, true]) {
      expect(await append(store, run, [completed()], 2, isRepeated)).toBe('stored');
    }
    expect(await eventTypes(store, run.runId)).toEqual([
      'run:trigger',
      'run:start',
      'step:complete',
      'run:complete',
    ]);
    expect(await store.getRun(run.runId)).toMatchObject({ stepCount: 1 });
  });

  test('restarts the numbers of appends with each claim', async ({ world }) => {
    const { store } = await world.store();
    const first = await running(store);
    await append(store, first, [stepCompleted('one', 0)], 1);
    await store.handBack([first]);
    expect(await append(store, await claimOne(store), [stepCompleted('two', 1)], 1)).toBe('stored');
    expect(await store.getRun(first.runId)).toMatchObject({ stepCount: 2 });
  });

  test('returns one answer for each of several runs', async ({ world }) => {
    const { store } = await world.store();
    const runs = [await running(store), await running(store), await running(store)];
    await store.command('cancel', runs[1]?.runId ?? '');
    const results = await Promise.all(runs.map((run) => append(store, run, [completed()])));
    expect(results).toEqual(['stored', 'refused', 'stored']);
  });

  test('stores nothing of an append that the database refuses, and stores the others', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const runs = [await running(store), await running(store), await running(store)];
    await tools.refuseEvents('step:fail');
    const before = await snapshot(store, runs[1]?.runId ?? '');
    const appends = runs.map((run, i) =>
      append(store, run, [stepCompleted('one', 0), ...(i === 1 ? [stepFailed('two', 1)] : [])]),
    );
    const settled = await Promise.allSettled(appends);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await snapshot(store, runs[1]?.runId ?? '')).toEqual(before);
  });
});
