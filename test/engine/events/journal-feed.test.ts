import { describe, expect, test } from 'vitest';
import type { RunStatus, StoredRun } from '../../../src/core/run.ts';
import type { Freshness } from '../../../src/core/store.ts';
import { JournalFeed } from '../../../src/engine/events/journal-feed.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { fakeStore } from '../../support/fake-store.ts';

/** A feed behind a replica that knows a running run and the journal up to 5. The primary has more. */
function feedBehindReplica(primary: { readonly head: number; readonly status: RunStatus | null }) {
  const at = (asOf: Freshness | undefined) =>
    asOf === 'now' ? primary : { head: 5, status: 'running' as const };
  const store = fakeStore({
    journalHead: async ({ asOf } = {}) => at(asOf).head,
    readJournal: async () => [],
    readRunJournal: async ({ asOf }) => ({ rows: [], head: at(asOf).head }),
    getRun: async (id, { asOf } = {}) => {
      const { status } = at(asOf);
      return status && ({ id, status } as StoredRun);
    },
  });
  const onError = (error: unknown) => {
    throw error;
  };
  return new JournalFeed({ store, clock: new FakeClock(), pollMs: 250, mayLag: true, onError });
}

describe('the stream of a run from a place that the replica does not have yet', () => {
  test.each([
    ['completed', Number.MAX_SAFE_INTEGER],
    ['failed', 7],
    [null, Number.MAX_SAFE_INTEGER],
  ] as const)('has ended if the run is over at the primary: %s, after %d', async (status, after) => {
    const feed = feedBehindReplica({ head: 9, status });
    expect(await feed.openRun('run_1', { after })).toEqual({ kind: 'ended' });
  });

  test('is open if the run goes on', async () => {
    const feed = feedBehindReplica({ head: 9, status: 'running' });
    const opened = await feed.openRun('run_1', { after: Number.MAX_SAFE_INTEGER });
    expect(opened.kind).toBe('open');
    if (opened.kind === 'open') opened.cursor.close();
  });
});
