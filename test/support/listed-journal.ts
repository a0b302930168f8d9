import type { JournalEventType } from '../../src/core/events.ts';
import type { EventCursor, StreamedEvent } from '../../src/core/feeds.ts';
import type { RunStatus, StoredRun } from '../../src/core/run.ts';
import type { ListedJournalRow } from '../../src/core/store.ts';
import { JournalFeed } from '../../src/engine/events/journal-feed.ts';
import { FakeClock } from './fake-clock.ts';
import { fakeStore } from './fake-store.ts';
import { idle } from './idle.ts';

export const POLL_MS = 250;

/** A feed over a journal that is a list. */
export function listedJournal() {
  const clock = new FakeClock();
  const rows: ListedJournalRow[] = [];
  const statuses = new Map<string, RunStatus>();
  const reads = { tail: 0, run: 0, withLabels: 0 };
  const errors: unknown[] = [];
  let failure: Error | undefined;
  let hold: Promise<void> | undefined;
  const headHolds: (Promise<void> | undefined)[] = [];
  const page = (after: number, limit: number, runId?: string) => {
    if (failure) throw failure;
    return rows
      .filter((row) => row.sequence > after && (runId === undefined || row.runId === runId))
      .slice(0, limit);
  };
  const store = fakeStore({
    journalHead: async () => {
      const head = rows.at(-1)?.sequence ?? 0;
      await headHolds.shift();
      return head;
    },
    readJournal: async ({ after, limit, withLabels }) => {
      reads.tail++;
      if (withLabels) reads.withLabels++;
      const read = page(after, limit);
      await hold;
      return withLabels ? read : read.map(({ labels, ...row }) => row);
    },
    readRunJournal: async ({ runId, after, limit }) => {
      reads.run++;
      return { rows: page(after, limit, runId), head: rows.at(-1)?.sequence ?? 0 };
    },
    getRun: async (runId) => {
      const status = statuses.get(runId);
      return status ? ({ id: runId, status } as StoredRun) : null;
    },
  });
  const feed = new JournalFeed({ store, clock, pollMs: POLL_MS, onError: (error) => errors.push(error) });
  const write = (
    runId: string,
    type: JournalEventType,
    data: string | null = null,
    labels: string | null = null,
  ) => {
    if (type === 'run:trigger' || type === 'run:retry') statuses.set(runId, 'pending');
    if (type === 'run:complete') statuses.set(runId, 'completed');
    if (type === 'run:fail') statuses.set(runId, 'failed');
    rows.push({
      sequence: rows.length + 1,
      runId,
      jobName: 'job',
      type,
      createdAt: 0,
      attempt: null,
      stepName: null,
      stepIndex: null,
      level: null,
      message: null,
      data,
      durationMs: null,
      labels,
      dataBytes: data?.length ?? 0,
      isDataLeft: false,
      isLeftOver: false,
    });
  };
  const poll = async () => {
    clock.advance(POLL_MS);
    await idle();
  };
  const openRun = async (runId: string) => {
    const run = await feed.openRun(runId);
    if (run.kind !== 'open') throw new Error('not open');
    return run.cursor;
  };
  return {
    clock,
    rows,
    reads,
    errors,
    feed,
    write,
    poll,
    openRun,
    /** Delays the answers of reads that begin from now on until the promise settles. */
    setHold: (until: Promise<void>) => {
      hold = until;
    },
    /**
     * Delays the next queries for the head until these promises settle. The answers are as of the time of the
     * query.
     */
    holdHeads: (...untils: (Promise<void> | undefined)[]) => void headHolds.push(...untils),
    setFailure: (error: Error | undefined) => {
      failure = error;
    },
  };
}

export const sequences = (events: readonly StreamedEvent[] | null) =>
  events?.map(({ sequence }) => sequence) ?? null;

export async function takeAll(cursor: EventCursor, count: number): Promise<number[]> {
  const taken: number[] = [];
  while (taken.length < count) taken.push(...((await cursor.next()) ?? []).map(({ sequence }) => sequence));
  return taken;
}
