import { expect } from 'vitest';
import { MAX_UNTAKEN_SIGNALS } from '../../../src/core/signal.ts';
import type { Store } from '../../../src/core/store.ts';
import { contract } from '../../support/contract.ts';
import {
  append,
  claimIds,
  claimOne,
  completed,
  enqueue,
  entry,
  eventTypes,
  newSignal,
  running,
  snapshot,
} from '../requests.ts';

/** An owner's note that its run waits for this signal. */
const waitFor = (signal: string) =>
  entry({
    type: 'run:wait',
    data: JSON.stringify({
      dueAt: null,
      waits: [{ kind: 'signal', stepName: 'answer', until: null, signal }],
    }),
  });

const taken = (stepName: string, signalSeq: number) =>
  entry({ type: 'step:complete', stepName, stepIndex: 0, stepKind: 'signal', signalSeq, data: '1' });

const names = async (store: Store, runId: string) => (await store.listSignals(runId)).map(({ name }) => name);

contract('Store.signal', (test) => {
  test('wakes a run that waits for its name, and no other', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await append(store, run, [waitFor('go')]);
    expect(await store.signal(newSignal(run.runId, { name: 'other' }))).toEqual({
      kind: 'accepted',
      jobName: 'job',
    });
    expect((await store.getRun(run.runId))?.status).toBe('waiting');
    expect(await claimIds(store)).toEqual([]);
    await store.signal(newSignal(run.runId, { name: 'go', payload: '{"ok":true}' }));
    expect(await store.getRun(run.runId)).toMatchObject({ status: 'pending', waits: [] });
    expect(await claimOne(store)).toMatchObject({ runId: run.runId, kind: 'resume', attempt: 1 });
    expect(await eventTypes(store, run.runId)).toEqual([
      'run:trigger',
      'run:start',
      'run:wait',
      'run:signal',
      'run:signal',
      'run:resume',
    ]);
  });

  test('that came before makes a wait for it end at once', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await store.signal(newSignal(run.runId));
    await append(store, run, [waitFor('go')]);
    expect(await store.getRun(run.runId)).toMatchObject({ status: 'pending', waits: [] });
  });

  test('is listed until a step takes it, with the outcome of the step', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    for (const payload of ['1', '2']) await store.signal(newSignal(run.runId, { payload }));
    const [first, second] = await store.listSignals(run.runId);
    expect([first, second]).toMatchObject([
      { name: 'go', payload: '1' },
      { name: 'go', payload: '2' },
    ]);
    await append(store, run, [taken('one', first?.seq ?? 0)]);
    expect(await store.listSignals(run.runId)).toEqual([second]);
    await append(store, run, [waitFor('go')], 2);
    expect((await store.getRun(run.runId))?.status).toBe('pending');
    const again = await claimOne(store);
    await append(store, again, [taken('two', second?.seq ?? 0)]);
    await append(store, again, [waitFor('go')], 2);
    expect((await store.getRun(run.runId))?.status).toBe('waiting');
  });

  test('is not taken by an owner that lost its run', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await store.signal(newSignal(run.runId));
    await append(store, run, [waitFor('go')]);
    await claimOne(store);
    const [signal] = await store.listSignals(run.runId);
    expect(await append(store, run, [taken('one', signal?.seq ?? 0)], 2)).toBe('refused');
    expect(await names(store, run.runId)).toEqual(['go']);
  });

  test('that is sent again is stored once, and its id is recognised', async ({ world }) => {
    const { store } = await world.store();
    const id = await enqueue(store);
    const sent = newSignal(id, { signalId: 'mine' });
    expect(await store.signal(sent)).toMatchObject({ kind: 'accepted' });
    // The same sending, whose answer was lost.
    expect(await store.signal(sent)).toMatchObject({ kind: 'accepted' });
    expect(await store.signal(newSignal(id, { signalId: 'mine' }))).toEqual({ kind: 'duplicate' });
    expect(await store.signal(newSignal(id, { signalId: 'mine', payload: '2' }))).toEqual({
      kind: 'conflict',
      payload: 'null',
    });
    expect(await store.signal(newSignal(id, { signalId: 'mine', name: 'x' }))).toEqual({
      kind: 'conflict',
      payload: null,
    });
    expect(await names(store, id)).toEqual(['go']);
    const other = await enqueue(store);
    expect(await store.signal(newSignal(other, { signalId: 'mine' }))).toMatchObject({ kind: 'accepted' });
  });

  test('changes nothing of a run that is over or unknown', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await append(store, run, [completed()]);
    const before = await snapshot(store, run.runId);
    expect(await store.signal(newSignal(run.runId))).toEqual({ kind: 'wrong-state', status: 'completed' });
    expect(await store.signal(newSignal('unknown'))).toEqual({ kind: 'not-found' });
    expect(await snapshot(store, run.runId)).toEqual(before);
  });

  test('is refused above the limit, and taken again below it', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    for (let sent = 0; sent < MAX_UNTAKEN_SIGNALS; sent += 100) {
      await Promise.all(Array.from({ length: 100 }, () => store.signal(newSignal(run.runId))));
    }
    expect(await store.signal(newSignal(run.runId))).toEqual({ kind: 'full' });
    const [first] = await store.listSignals(run.runId);
    await append(store, run, [taken('one', first?.seq ?? 0)]);
    expect(await store.signal(newSignal(run.runId))).toMatchObject({ kind: 'accepted' });
  });

  test('has a payload that is read by itself if it is large', async ({ world }) => {
    const { store } = await world.store();
    const id = await enqueue(store);
    const payload = JSON.stringify('x'.repeat(10_000));
    await store.signal(newSignal(id, { payload }));
    const [signal] = await store.listSignals(id);
    expect(signal).toEqual({ seq: expect.any(Number), name: 'go', payload: undefined });
    expect(await store.readSignal(signal?.seq ?? 0)).toBe(payload);
    expect(await store.readSignal(10_000)).toBeUndefined();
  });
});
