import { expect } from 'vitest';
import type { Store } from '../../src/core/store.ts';
import { contract } from '../support/contract.ts';
import { all, append, entry, running, stepCompleted, stepFailed } from './requests.ts';

contract('Store.listSteps', (test) => {
  test('lists the steps by index, with their outcomes and times', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await append(store, run, [
      stepCompleted('c', 2, null),
      stepFailed('b', 1, 'for a reason'),
      entry({ type: 'step:complete', stepName: 'a', stepIndex: 0, data: '{"x":1}', durationMs: 1_500 }),
    ]);
    const steps = await all(store.listSteps(run.runId));
    expect(steps).toMatchObject([
      { name: 'a', index: 0, status: 'completed', error: null, errorDetail: null },
      {
        name: 'b',
        index: 1,
        status: 'failed',
        error: 'for a reason',
        errorDetail: { text: '{"name":"Error"}' },
      },
      { name: 'c', index: 2, status: 'completed' },
    ]);
    expect(steps.map(({ output }) => output?.text ?? null)).toEqual(['{"x":1}', null, null]);
    const [{ startedAt, completedAt } = { startedAt: '', completedAt: '' }] = steps;
    expect(Date.parse(completedAt) - Date.parse(startedAt)).toBe(1_500);
    expect(await all(store.listSteps('unknown'))).toEqual([]);
  });

  test('lists hundreds of them once each, in portions', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    const names = Array.from({ length: 250 }, (_, i) => `step ${i}`);
    await append(
      store,
      run,
      names.map((name, i) => stepCompleted(name, i, JSON.stringify('x'.repeat(10_000)))),
    );
    const seen: string[] = [];
    for await (const portion of store.listSteps(run.runId)) {
      expect(portion.length).toBeLessThan(250);
      seen.push(...portion.map(({ name }) => name));
    }
    expect(seen).toEqual(names);
  });
});

contract('the results that a run replays', (test) => {
  test('are those of completed steps, by index, with their sizes', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await append(store, run, [
      stepCompleted('b', 1, '"é"'),
      stepFailed('failed', 2),
      stepCompleted('a', 0, null),
    ]);
    expect(await store.listKnownSteps(run.runId)).toEqual([
      { state: 'completed', name: 'a', sequence: expect.any(Number), outputBytes: 0, output: null },
      { state: 'completed', name: 'b', sequence: expect.any(Number), outputBytes: 4, output: '"é"' },
    ]);
    expect(await store.listKnownSteps('unknown')).toEqual([]);
  });

  test('are read with the list as far as they fit, and otherwise on request', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    const output = (i: number) => JSON.stringify(`${i}`.repeat(300_000));
    for (let i = 0; i < 8; i++) await append(store, run, [stepCompleted(`step ${i}`, i, output(i))], i + 1);
    const steps = await store.listKnownSteps(run.runId);
    expect(steps.map(({ name }) => name)).toEqual(Array.from({ length: 8 }, (_, i) => `step ${i}`));
    const left = steps.filter((step) => !('output' in step)).map(({ name }) => name);
    const come = steps.slice(0, steps.length - left.length);
    // The first results, as many as take about a megabyte.
    expect(come.map(({ name }) => name)).toEqual(['step 0', 'step 1', 'step 2']);
    come.forEach((step, i) => {
      expect('output' in step && step.output === output(i)).toBe(true);
    });
    const names = [...left.slice(0, 2), 'unknown'];
    const read = await store.readStepOutputs({ runId: run.runId, names });
    expect([...read.keys()].sort()).toEqual(['step 3', 'step 4']);
    expect(read.get('step 4') === output(4)).toBe(true);
  });
});

async function lines(store: Store, page: Partial<Parameters<Store['listLogs']>[0]> & { runId: string }) {
  return await all(store.listLogs({ level: null, after: 0, limit: 100, ...page }));
}

contract('Store.listLogs', (test) => {
  test('lists the lines of a run, oldest first, by place, level and limit', async ({ world }) => {
    const { store } = await world.store();
    const [run, other] = [await running(store), await running(store)];
    const levels = ['info', 'warn', 'error', 'info'] as const;
    const written = levels.map((level, i) =>
      entry({
        type: 'log:write',
        level,
        message: `line ${i}`,
        data: `[${i}]`,
        stepName: i === 0 ? null : 's',
      }),
    );
    await append(store, run, [stepCompleted('s', 0), ...written]);
    await append(store, other, [entry({ type: 'log:write', level: 'info', message: 'of another' })]);
    const { runId } = run;
    const found = await lines(store, { runId });
    expect(found).toMatchObject(
      levels.map((level, i) => ({ level, message: `line ${i}`, stepName: i === 0 ? null : 's' })),
    );
    expect(found.map(({ data }) => data?.text)).toEqual(['[0]', '[1]', '[2]', '[3]']);
    const messages = async (page: Partial<Parameters<Store['listLogs']>[0]>) =>
      (await lines(store, { runId, ...page })).map(({ message }) => message);
    expect(await messages({ level: 'info' })).toEqual(['line 0', 'line 3']);
    expect(await messages({ limit: 2 })).toEqual(['line 0', 'line 1']);
    expect(await messages({ after: found[1]?.sequence ?? 0 })).toEqual(['line 2', 'line 3']);
    expect(await messages({ after: found[0]?.sequence ?? 0, level: 'info', limit: 1 })).toEqual(['line 3']);
    expect(await messages({ runId: 'unknown' })).toEqual([]);
  });

  test('lists hundreds of large lines once each, in portions', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    const data = JSON.stringify('x'.repeat(20_000));
    const written = Array.from({ length: 150 }, (_, i) =>
      entry({ type: 'log:write', level: 'info', message: `line ${i}`, data }),
    );
    await append(store, run, written);
    const seen: string[] = [];
    for await (const portion of store.listLogs({ runId: run.runId, level: null, after: 0, limit: 1_000 })) {
      expect(portion.length).toBeLessThan(150);
      for (const line of portion) expect(line.data?.text === data).toBe(true);
      seen.push(...portion.map(({ message }) => message));
    }
    expect(seen).toEqual(written.map(({ note }) => note.message));
  });
});
