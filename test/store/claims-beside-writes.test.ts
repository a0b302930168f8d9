import { expect } from 'vitest';
import { contract } from '../support/contract.ts';
import { append, claim, completed, enqueue, newRun } from './requests.ts';

contract('a claim beside other writes', (test) => {
  test('leaves with them and sees what they store', async ({ world }) => {
    const { store } = await world.store();
    const [claimed, , again] = await Promise.all([
      claim(store, { limit: 10 }),
      store.enqueue([newRun({ concurrencyKey: 'key' }), newRun({ concurrencyKey: 'key' })]),
      claim(store, { limit: 10 }),
    ]);
    expect([claimed.runs.length, again.runs.length]).toEqual([1, 0]);
    const [run] = claimed.runs;
    if (run === undefined) throw new Error('nothing was claimed');
    const [next, stored] = await Promise.all([claim(store), append(store, run, [completed()])]);
    expect(stored).toBe('stored');
    expect(next.runs).toMatchObject([{ concurrencyKey: 'key', attempt: 1 }]);
  });

  test('decides what to claim when it leaves, and may claim nothing', async ({ world }) => {
    const { store } = await world.store();
    await enqueue(store);
    let asked = 0;
    const nothing = await store.claim(() => {
      asked++;
      return undefined;
    });
    expect({ asked, nothing }).toEqual({
      asked: 1,
      nothing: { runs: [], lost: [], more: false, moreDue: false },
    });
  });
});
