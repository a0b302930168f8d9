import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import {
  append,
  claim,
  claimIds,
  claimOne,
  completed,
  enqueue,
  entry,
  eventTypes,
  failed,
  newRun,
  running,
  stepCompleted,
} from '../requests.ts';

const HOUR_MS = 3_600_000;

/** An owner's note that its run waits for so long. */
function waits(dueAtMs: number, stepName: string | null = 'rest') {
  const until = new Date(dueAtMs).toISOString();
  return JSON.stringify({ dueAt: dueAtMs, waits: [{ kind: 'sleep', stepName, until }] });
}

contract('a waiting run', (test) => {
  test('is claimed only after its time, when the claim wakes what is due', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const run = await running(store);
    const dueAt = Date.now() + HOUR_MS;
    expect(await append(store, run, [entry({ type: 'run:wait', data: waits(dueAt) })])).toBe('stored');
    expect(await store.getRun(run.runId)).toMatchObject({
      status: 'waiting',
      heartbeatAt: null,
      waits: [{ kind: 'sleep', stepName: 'rest', until: new Date(dueAt).toISOString() }],
    });
    expect(await claimIds(store)).toEqual([]);
    await tools.ageDue(run.runId, HOUR_MS);
    expect(await claimIds(store, { wakesDue: false })).toEqual([]);
    const again = await claimOne(store);
    expect(again).toMatchObject({ runId: run.runId, kind: 'resume', attempt: 1, fence: run.fence + 1 });
    expect(await store.getRun(run.runId)).toMatchObject({ status: 'running', waits: [] });
    expect(await eventTypes(store, run.runId)).toEqual([
      'run:trigger',
      'run:start',
      'run:wait',
      'run:resume',
    ]);
  });

  test('takes nothing more from the owner that put it to wait', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await append(store, run, [entry({ type: 'run:wait', data: waits(Date.now() + HOUR_MS) })]);
    expect(await append(store, run, [stepCompleted('late', 0)], 2)).toBe('refused');
    expect(await append(store, run, [completed()], 2)).toBe('refused');
    expect(await store.renew([run])).toEqual([]);
    expect(await store.handBack([run])).toEqual([]);
    expect((await store.getRun(run.runId))?.status).toBe('waiting');
  });

  test('is stored once, however often its owner says so', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    const note = entry({ type: 'run:wait', data: waits(Date.now() + HOUR_MS) });
    expect(await append(store, run, [note])).toBe('stored');
    expect(await append(store, run, [note], 1, true)).toBe('stored');
    expect(await eventTypes(store, run.runId)).toEqual(['run:trigger', 'run:start', 'run:wait']);
  });

  test('is known to be stored after another worker has claimed it, whatever it stored before', async ({
    world,
  }) => {
    const { store } = await world.store();
    const run = await running(store);
    const note = entry({ type: 'run:retry', message: 'failed', data: waits(Date.now() - 1, null) });
    expect(await append(store, run, [stepCompleted('one', 0)], 1)).toBe('stored');
    expect(await append(store, run, [note], 2)).toBe('stored');
    const again = await claimOne(store);
    expect(again).toMatchObject({ runId: run.runId, fence: run.fence + 1 });
    expect(await append(store, run, [note], 2, true)).toBe('stored');
    expect(await append(store, again, [note], 1, true)).toBe('stored');
    // A wait that was not the owner's is none of its own.
    expect(await append(store, { ...run, fence: run.fence + 5 }, [note], 2, true)).toBe('refused');
    expect(await eventTypes(store, run.runId)).toEqual([
      'run:trigger',
      'run:start',
      'step:complete',
      'run:retry',
      'run:start',
      'run:retry',
    ]);
  });

  test('is not known to be stored if the lease was lost before', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await store.handBack([run]);
    await claimOne(store);
    const note = entry({ type: 'run:wait', data: waits(Date.now() + HOUR_MS) });
    expect(await append(store, run, [note], 1, true)).toBe('refused');
  });

  test('is woken in its old place of the order', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const first = await enqueue(store, { due: { afterMs: HOUR_MS } });
    const second = await enqueue(store);
    await tools.ageDue(first, HOUR_MS);
    expect(await claimIds(store, { limit: 2 })).toEqual([first, second]);
  });

  test('is told apart from more that are due', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const runs = Array.from({ length: 201 }, () => newRun({ due: { afterMs: HOUR_MS } }));
    await store.enqueue(runs);
    for (const { id } of runs) await tools.ageDue(id, HOUR_MS);
    expect(await claim(store, { limit: 1 })).toMatchObject({ moreDue: true, more: true });
    expect(await claim(store, { limit: 1 })).toMatchObject({ moreDue: false, more: true });
    expect((await claimIds(store, { limit: 300 })).length).toBe(199);
  });

  test('opens an attempt when its job is tried again, and counts that', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const run = await running(store);
    const data = waits(Date.now() + HOUR_MS, null);
    await append(store, run, [entry({ type: 'run:retry', message: 'failed', data })]);
    await tools.ageDue(run.runId, HOUR_MS);
    const again = await claimOne(store);
    expect(again).toMatchObject({ runId: run.runId, kind: 'start', attempt: 2, retryCount: 1 });
    await append(store, again, [failed()]);
    await store.command('retry', run.runId);
    expect(await claimOne(store)).toMatchObject({ attempt: 3, retryCount: 0 });
  });
});

contract('an open step', (test) => {
  const start = (dueAt: number) =>
    entry({
      type: 'step:start',
      stepName: 'rest',
      stepIndex: 0,
      data: JSON.stringify({ kind: 'sleep', dueAt }),
    });

  test('keeps the time that its first beginning fixed, and is listed once it is finished', async ({
    world,
  }) => {
    const { store } = await world.store();
    const run = await running(store);
    await append(store, run, [start(1_000)], 1);
    await append(store, run, [start(2_000)], 2);
    expect(await store.listKnownSteps(run.runId)).toEqual([
      { state: 'open', name: 'rest', kind: 'sleep', tries: 0, dueAtMs: 1_000, sinceMs: expect.any(Number) },
    ]);
    const listed = async () => {
      const steps = [];
      for await (const portion of store.listSteps(run.runId)) steps.push(...portion);
      return steps;
    };
    expect(await listed()).toEqual([]);
    const over = {
      type: 'step:complete',
      stepName: 'rest',
      stepIndex: 0,
      stepKind: 'sleep',
      durationMs: 1,
    } as const;
    await append(store, run, [entry(over)], 3);
    expect(await store.listKnownSteps(run.runId)).toMatchObject([{ state: 'completed', name: 'rest' }]);
    expect(await listed()).toMatchObject([{ name: 'rest', kind: 'sleep', status: 'completed' }]);
  });

  test('counts its tries, and comes with the claim that goes on', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    const tried = (attempt: number) => {
      const data = JSON.stringify({ attempt, dueAt: attempt * 1_000 });
      return entry({ type: 'step:retry', stepName: 'work', stepIndex: 0, message: 'failed', data });
    };
    await append(store, run, [tried(1)], 1);
    await append(store, run, [tried(2)], 2);
    expect(await store.getRun(run.runId)).toMatchObject({ status: 'running', stepCount: 0 });
    await store.handBack([run]);
    const again = await claimOne(store);
    const steps = again.steps ?? (await store.listKnownSteps(run.runId));
    expect(steps).toEqual([
      { state: 'open', name: 'work', kind: 'run', tries: 2, dueAtMs: 2_000, sinceMs: expect.any(Number) },
    ]);
  });

  test('begins anew as a step of another kind', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    const data = JSON.stringify({ attempt: 3, dueAt: 5_000 });
    const tried = { type: 'step:retry', stepName: 'rest', stepIndex: 0, message: 'failed', data } as const;
    await append(store, run, [start(1_000)], 1);
    await append(store, run, [entry(tried)], 2);
    expect(await store.listKnownSteps(run.runId)).toMatchObject([{ kind: 'run', tries: 3, dueAtMs: 5_000 }]);
    await append(store, run, [start(9_000)], 3);
    expect(await store.listKnownSteps(run.runId)).toMatchObject([
      { kind: 'sleep', tries: 0, dueAtMs: 9_000 },
    ]);
    await append(store, run, [stepCompleted('rest', 0)], 4);
    const steps = [];
    for await (const portion of store.listSteps(run.runId)) steps.push(...portion);
    expect(steps).toMatchObject([{ name: 'rest', kind: 'run', status: 'completed' }]);
  });

  test('that is to be tried again gets all its tries from a retry by hand, and a sleep keeps its time', async ({
    world,
  }) => {
    const { store } = await world.store();
    const run = await running(store);
    const data = JSON.stringify({ attempt: 1, dueAt: 5_000 });
    const tried = { type: 'step:retry', stepName: 'work', stepIndex: 1, message: 'failed', data } as const;
    await append(store, run, [start(1_000), entry(tried)]);
    await store.command('cancel', run.runId);
    await store.command('retry', run.runId);
    expect((await store.listKnownSteps(run.runId)).map(({ name }) => name)).toEqual(['rest']);
  });
});
