import { describe, expect, onTestFinished, test } from 'vitest';
import { RUN_STATUSES, RUN_TRANSITIONS, type RunStatus } from '../../src/core/run.ts';
import type { Store } from '../../src/core/store.ts';
import { systemClock } from '../../src/core/time/clock.ts';
import { openDatabase } from '../../src/storage/sqlite/file/open-database.ts';
import { createStore } from '../../src/storage/sqlite/store.ts';

const LEASE = { runId: 'run_1', fence: 1 };

const claim = (store: Store) =>
  store.claim(() => ({
    jobNames: ['job'],
    limit: 1,
    claimToken: 'token',
    isAskedAgain: false,
    wakesDue: true,
    staleThresholdMs: 1_000,
    takesSuspect: true,
  }));

const end = (type: 'run:complete' | 'run:fail') => (store: Store) =>
  store.append({
    lease: LEASE,
    number: 1,
    sentAtMs: 0,
    entries: [{ note: { type, data: '1' }, atMs: 0 }],
    isRepeated: false,
  });

const { claim: taken, takeOver, handBack, complete, fail, timeOut } = RUN_TRANSITIONS;

/** The transitions that are not commands of a caller. */
const acts: readonly Act[] = [
  // One statement takes pending runs and stale ones.
  { name: 'a claim', act: claim, legal: [taken, takeOver] },
  { name: 'a hand-back', act: (store: Store) => store.handBack([LEASE]), legal: [handBack] },
  { name: 'the end of a job', act: end('run:complete'), legal: [complete] },
  { name: 'the failure of a job', act: end('run:fail'), legal: [fail] },
  { name: 'the end of its time', act: claim, legal: [timeOut], deadlineAt: 1 },
];

interface Act {
  readonly name: string;
  readonly act: (store: Store) => Promise<unknown>;
  readonly legal: readonly { readonly from: readonly RunStatus[]; readonly to: RunStatus }[];
  readonly deadlineAt?: number;
}

/** A store with a run in that status. The run's lease is held and stale. */
async function storeWithRun(status: RunStatus, deadlineAt: number | null = null) {
  const { dialect } = await openDatabase({ url: ':memory:' });
  const { store, db } = createStore({ dialect, clock: systemClock });
  onTestFinished(() => db.destroy());
  await store.migrate();
  const key = { idempotencyKey: null, concurrencyKey: null, labels: null };
  const [enqueued] = await store.enqueue([{ id: 'run_1', jobName: 'job', payload: '1', ...key }]);
  await claim(store);
  await db.updateTable('durably_runs').set({ status, heartbeat_at: 1, deadline_at: deadlineAt }).execute();
  return { store, enqueued };
}

describe('the table of transitions', () => {
  test('says in which status a triggered run begins', async () => {
    const { enqueued } = await storeWithRun('running');
    expect(enqueued?.toRun().status).toBe(RUN_TRANSITIONS.trigger.to);
  });

  describe.each(acts)('applies to $name', ({ act, legal, deadlineAt }) => {
    test.each(RUN_STATUSES)('of a run that is %s', async (status) => {
      const { store } = await storeWithRun(status, deadlineAt);
      const before = await store.getRun('run_1');
      await act(store);
      const after = await store.getRun('run_1');
      const transition = legal.find(({ from }) => from.some((each) => each === status));
      if (transition === undefined) {
        expect(after).toEqual(before);
        return;
      }
      expect(after?.status).toBe(transition.to);
      expect(after).not.toEqual(before);
    });
  });
});
