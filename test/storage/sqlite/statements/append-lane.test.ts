import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../../src/core/time/clock.ts';
import { openDatabase } from '../../../../src/sqlite.ts';
import { createStore } from '../../../../src/storage/sqlite/store.ts';

const claim = (claimToken: string) => () => ({
  jobNames: ['job'],
  limit: 1,
  claimToken,
  isAskedAgain: false,
  wakesDue: true,
  staleThresholdMs: 30_000,
  takesSuspect: true,
});

test('when one process executes a run twice, only the execution with the newer fence stores its append', async () => {
  const { dialect } = await openDatabase({ url: ':memory:' });
  const { store, db } = createStore({ dialect, clock: systemClock });
  onTestFinished(() => db.destroy());
  await store.migrate();
  await store.enqueue([
    { id: 'run_1', jobName: 'job', payload: '1', idempotencyKey: null, concurrencyKey: null, labels: null },
  ]);
  const [older] = (await store.claim(claim('first'))).runs;
  await db.updateTable('durably_runs').set({ heartbeat_at: 1 }).execute();
  const [newer] = (await store.claim(claim('second'))).runs;
  expect([older?.fence, newer?.fence]).toEqual([1, 2]);
  const appends = [older, newer].map((run) =>
    store.append({
      lease: { runId: 'run_1', fence: run?.fence ?? 0 },
      number: 1,
      sentAtMs: 0,
      isRepeated: false,
      entries: [{ note: { type: 'run:complete', data: `${run?.fence}` }, atMs: 0 }],
    }),
  );
  expect(await Promise.all(appends)).toEqual(['refused', 'stored']);
  expect((await store.getRun('run_1'))?.output?.parse()).toBe(2);
});
