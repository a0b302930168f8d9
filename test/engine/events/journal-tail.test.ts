import { describe, expect, onTestFinished, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../src/core/errors/errors.ts';
import { idle } from '../../support/idle.ts';
import { listedJournal, POLL_MS, sequences, takeAll } from '../../support/listed-journal.ts';
import { deferred } from '../../support/until.ts';

describe('the tail of the journal', () => {
  test('reads the journal once for any number of subscribers', async () => {
    const { feed, write, poll, reads } = listedJournal();
    const cursors = await Promise.all(Array.from({ length: 30 }, async () => (await feed.openList()).cursor));
    const waiting = cursors.map((cursor) => cursor.next());
    await poll();
    const before = reads.tail;
    write('run_1', 'run:trigger');
    await poll();
    expect(reads.tail).toBe(before + 1);
    const [first, ...others] = await Promise.all(waiting);
    expect(sequences(first ?? null)).toEqual([1]);
    // All of them get the same list, and so the same text.
    for (const events of others) expect(events).toBe(first);
    for (const events of others) expect(events?.[0]?.json).toBe(first?.[0]?.json);
  });

  test('reads at each interval, and at once after news, with a limit to the rate', async () => {
    const { feed, write, poll, reads, clock } = listedJournal();
    const { cursor } = await feed.openList();
    const next = cursor.next();
    clock.advance(POLL_MS - 1);
    await idle();
    expect(reads.tail).toBe(0);
    clock.advance(1);
    await idle();
    expect(reads.tail).toBe(1);
    clock.advance(100);
    write('run_1', 'run:trigger');
    feed.nudge();
    expect(sequences(await next)).toEqual([1]);
    expect(reads.tail).toBe(2);
    // A burst of news causes one read after a short pause.
    for (let i = 0; i < 10; i++) feed.nudge();
    await idle();
    expect(reads.tail).toBe(2);
    clock.advance(5);
    await idle();
    expect(reads.tail).toBe(3);
    await poll();
    expect(reads.tail).toBe(4);
    cursor.close();
  });

  test('reads at the end of the turn, however much news arrives until then', async () => {
    const { feed, write, reads, clock } = listedJournal();
    const { cursor } = await feed.openList();
    const next = cursor.next();
    clock.advance(100);
    write('run_1', 'run:trigger');
    let isOver = false;
    const nudgeEachTurn = () => {
      // Queued first, so that the next news arrives before the read that this one requests.
      if (!isOver) setImmediate(nudgeEachTurn);
      feed.nudge();
    };
    onTestFinished(() => {
      isOver = true;
    });
    nudgeEachTurn();
    expect(sequences(await next)).toEqual([1]);
    isOver = true;
    await idle();
    expect(reads.tail).toBe(1);
    cursor.close();
  });

  test('pauses longer between reads the more subscribers it has', async () => {
    const { feed, reads, clock } = listedJournal();
    const cursors = await Promise.all(
      Array.from({ length: 400 }, async () => (await feed.openList()).cursor),
    );
    clock.advance(100);
    feed.nudge();
    await idle();
    expect(reads.tail).toBe(1);
    feed.nudge();
    clock.advance(19);
    await idle();
    expect(reads.tail).toBe(1);
    clock.advance(1);
    await idle();
    expect(reads.tail).toBe(2);
    for (const cursor of cursors) cursor.close();
  });

  test('reads nothing before its head is known, even if an earlier read ends meanwhile', async () => {
    const { feed, write, poll, setHold, holdHeads } = listedJournal();
    const [before, head, after] = [deferred(), deferred(), deferred()];
    const { cursor: earlier } = await feed.openList();
    setHold(before.promise);
    await poll();
    earlier.close();
    // The first query is for the reader's position, the second for the tail's.
    holdHeads(undefined, head.promise);
    const opening = feed.openList({ after: 0 });
    await idle();
    write('run_1', 'run:trigger');
    setHold(Promise.resolve());
    before.resolve();
    await idle();
    await poll();
    // A read from here on must not skip what the reader has not seen.
    setHold(after.promise);
    write('run_1', 'run:start');
    await poll();
    head.resolve();
    const waiting = (await opening).cursor.next();
    await idle();
    after.resolve();
    await poll();
    expect(sequences(await waiting)?.[0]).toBe(1);
  });

  const OURS = '{"org":"1"}';
  const labels = { org: '1' };

  test('reads labels only while a subscriber filters by them', async () => {
    const { feed, write, poll, reads } = listedJournal();
    const { cursor: all } = await feed.openList();
    await poll();
    expect(reads).toMatchObject({ tail: 1, withLabels: 0 });
    const readers = await Promise.all([1, 2].map(async () => (await feed.openList({ labels })).cursor));
    const waiting = readers.map((cursor) => cursor.next());
    write('run_1', 'run:trigger', null, '{"org":"2"}');
    write('run_2', 'run:trigger', null, OURS);
    await poll();
    expect(reads).toMatchObject({ tail: 2, withLabels: 1 });
    const [first, second] = await Promise.all(waiting);
    expect([sequences(first ?? null), sequences(second ?? null)]).toEqual([[2], [2]]);
    expect((await all.next())?.map(({ json }) => json)[1]).toBe(first?.[0]?.json);
    for (const cursor of readers) cursor.close();
    readers[0]?.close();
    await poll();
    expect(reads).toMatchObject({ tail: 3, withLabels: 1 });
    all.close();
  });

  test('reads again for the first subscriber by labels that joins during a read', async () => {
    const { feed, write, poll, reads, clock, setHold } = listedJournal();
    const { cursor: all } = await feed.openList();
    const { promise, resolve } = deferred();
    setHold(promise);
    const everything = all.next();
    write('run_1', 'run:trigger', null, OURS);
    await poll();
    const { cursor } = await feed.openList({ after: 0, labels });
    const ours = cursor.next();
    resolve();
    await poll();
    clock.advance(5);
    await idle();
    expect(sequences(await ours)).toEqual([1]);
    expect(sequences(await everything)).toEqual([1]);
    expect(reads.withLabels).toBeGreaterThan(0);
    cursor.close();
    all.close();
  });

  test('gives subscribers by labels no rows that were read without labels', async () => {
    const { feed, write, poll, reads } = listedJournal();
    const { cursor: all } = await feed.openList();
    write('run_1', 'run:trigger', null, OURS);
    await poll();
    expect(sequences(await all.next())).toEqual([1]);
    const { cursor } = await feed.openList({ after: 0, labels });
    expect(sequences(await cursor.next())).toEqual([1]);
    expect(reads.withLabels).toBe(1);
    // It reads later events from the window.
    write('run_2', 'run:trigger', null, OURS);
    await poll();
    expect(sequences(await cursor.next())).toEqual([2]);
    expect(reads.withLabels).toBe(2);
    cursor.close();
    all.close();
  });

  test('reads nothing without subscribers', async () => {
    const { feed, write, poll, reads, clock } = listedJournal();
    feed.nudge();
    await poll();
    const { cursor } = await feed.openList();
    cursor.close();
    const before = reads.tail;
    write('run_1', 'run:trigger');
    feed.nudge();
    await poll();
    await poll();
    expect(reads.tail).toBe(before);
    expect(clock.pendingMs).toEqual([]);
    // The tail starts again, without the events that happened meanwhile.
    const { after, cursor: later } = await feed.openList();
    expect(after).toBe(1);
    write('run_1', 'run:start', 'null');
    const next = later.next();
    await poll();
    expect(sequences(await next)).toEqual([2]);
    later.close();
  });

  test('reads again at once after a full page', async () => {
    const { feed, write, poll, reads, clock } = listedJournal();
    const { cursor } = await feed.openList();
    for (let i = 0; i < 1_200; i++) write('run_1', 'run:progress', '{"current":1}');
    const taken = takeAll(cursor, 1_200);
    await poll();
    for (let i = 0; i < 6; i++) {
      clock.advance(5);
      await idle();
    }
    expect(await taken).toEqual(Array.from({ length: 1_200 }, (_, i) => i + 1));
    expect(reads.tail).toBeLessThanOrEqual(7);
    cursor.close();
  });

  test('retries after a failure with growing pauses, and reports it', async () => {
    const { feed, write, poll, reads, errors, clock, setFailure } = listedJournal();
    const { cursor } = await feed.openList();
    const next = cursor.next();
    const away = new DatabaseUnavailableError('away');
    setFailure(away);
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      const [pauseMs = 0] = clock.pendingMs;
      pauses.push(pauseMs);
      clock.advance(pauseMs);
      await idle();
    }
    expect(errors).toEqual(Array(8).fill(away));
    expect(pauses).toEqual([250, 250, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    setFailure(undefined);
    write('run_1', 'run:trigger');
    clock.advance(5_000);
    expect(sequences(await next)).toEqual([1]);
    const before = reads.tail;
    await poll();
    expect(reads.tail).toBe(before + 1);
    cursor.close();
  });
});
