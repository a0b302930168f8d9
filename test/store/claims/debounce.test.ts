import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { eventTypes, newRun } from '../requests.ts';

const HOUR_MS = 3_600_000;
const debounced = (payload: string) =>
  newRun({ payload, debounce: { key: 'k', delayMs: HOUR_MS, maxDelayMs: undefined } });

contract('a debounced run that is sent again', (test) => {
  test('is stored and postponed once, though another one came between', async ({ world }) => {
    const { store } = await world.store();
    const [first, second] = [debounced('1'), debounced('2')];
    await store.enqueue([first]);
    await store.enqueue([second]);
    const again = await store.enqueue([first]);
    expect(again.map(({ runId }) => runId)).toEqual([first.id]);
    await store.enqueue([second]);
    expect((await store.getRun(first.id))?.payload.text).toBe('2');
    expect(await eventTypes(store, first.id)).toEqual(['run:trigger', 'run:reschedule']);
  });

  test('makes no second run when the run that it postponed has started', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const [first, second] = [debounced('1'), debounced('2')];
    await store.enqueue([first]);
    await store.enqueue([second]);
    await tools.ageDue(first.id, 2 * HOUR_MS);
    const claimed = await store.claim(() => ({
      jobNames: ['job'],
      limit: 1,
      claimToken: 't',
      isAskedAgain: false,
      wakesDue: true,
      staleThresholdMs: 30_000,
      takesSuspect: true,
    }));
    expect(claimed.runs.map(({ runId }) => runId)).toEqual([first.id]);
    const [again] = await store.enqueue([second]);
    expect([again?.runId, again?.disposition]).toEqual([first.id, 'debounced']);
    expect(await store.getRun(second.id)).toBeNull();
  });
});
