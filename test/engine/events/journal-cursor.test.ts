import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../src/core/errors/errors.ts';
import { idle } from '../../support/idle.ts';
import { listedJournal, sequences, takeAll } from '../../support/listed-journal.ts';

describe('a cursor', () => {
  test('reads from the window if it is a little behind, without its own query', async () => {
    const { feed, write, poll, reads, openRun } = listedJournal();
    write('run_1', 'run:trigger');
    const cursor = await openRun('run_1');
    expect(sequences(await cursor.next())).toEqual([1]);
    const follower = await feed.openList();
    const followed = follower.cursor.next();
    for (let i = 0; i < 100; i++) write(i % 2 === 0 ? 'run_1' : 'run_2', 'run:progress', '{"current":1}');
    const before = reads.run;
    await poll();
    await followed;
    expect((await cursor.next())?.length).toBe(50);
    expect(reads.run).toBe(before);
    cursor.close();
    follower.cursor.close();
  });

  test('reads its own pages if it is far behind, and misses nothing', async () => {
    const { feed, write, poll, reads, openRun, clock } = listedJournal();
    write('run_1', 'run:trigger');
    const slow = await openRun('run_1');
    expect(sequences(await slow.next())).toEqual([1]);
    const fast = await feed.openList();
    for (let i = 0; i < 5_000; i++) write(i % 5 === 0 ? 'run_1' : 'run_2', 'run:progress', '{"current":1}');
    const taken = takeAll(fast.cursor, 5_000);
    await poll();
    for (let i = 0; i < 30; i++) {
      clock.advance(5);
      await idle();
    }
    await taken;
    const before = reads.run;
    expect(await takeAll(slow, 1_000)).toEqual(Array.from({ length: 1_000 }, (_, i) => 2 + 5 * i));
    expect(reads.run).toBeGreaterThan(before);
    // After it has caught up it reads no more pages.
    const after = reads.run;
    const next = slow.next();
    write('run_1', 'run:progress', '{"current":2}');
    await poll();
    expect(sequences(await next)).toEqual([5_002]);
    expect(reads.run).toBe(after);
    slow.close();
    fast.cursor.close();
  });

  test('keeps one portion of a page with long texts, and reads the rest again', async () => {
    const { write, reads, openRun } = listedJournal();
    const data = JSON.stringify({ current: 1, message: 'x'.repeat(8_000) });
    for (let i = 0; i < 150; i++) write('run_1', 'run:progress', data);
    write('run_1', 'run:complete');
    const cursor = await openRun('run_1');
    const before = reads.run;
    expect(await takeAll(cursor, 151)).toEqual(Array.from({ length: 151 }, (_, i) => i + 1));
    expect(await cursor.next()).toBeNull();
    // 65 rows make a portion.
    expect(reads.run - before).toBe(2);
  });

  test('reads its own pages if it is behind by a lot of text', async () => {
    const { feed, write, poll, reads, openRun } = listedJournal();
    write('run_1', 'run:trigger');
    const slow = await openRun('run_1');
    await slow.next();
    const fast = await feed.openList();
    const data = JSON.stringify({ current: 1, message: 'x'.repeat(1_000_000) });
    for (let i = 0; i < 5; i++) write('run_1', 'run:progress', data);
    const taken = takeAll(fast.cursor, 5);
    await poll();
    await taken;
    const before = reads.run;
    expect(await takeAll(slow, 5)).toEqual([2, 3, 4, 5, 6]);
    expect(reads.run).toBeGreaterThan(before);
    slow.close();
    fast.cursor.close();
  });

  test('of one run is not woken by events of others', async () => {
    const { write, poll, openRun } = listedJournal();
    write('run_1', 'run:trigger');
    const cursor = await openRun('run_1');
    await cursor.next();
    let isWoken = false;
    const next = cursor.next().finally(() => {
      isWoken = true;
    });
    for (let i = 0; i < 3; i++) {
      write('run_2', 'run:progress', '{"current":1}');
      await poll();
    }
    expect(isWoken).toBe(false);
    write('run_1', 'run:complete');
    await poll();
    expect(sequences(await next)).toEqual([5]);
    expect(await cursor.next()).toBeNull();
  });

  test('continues past an end that was followed by a retry, and ends at the last end', async () => {
    const { write, poll, openRun, clock } = listedJournal();
    for (const type of ['run:trigger', 'run:fail', 'run:retry'] as const) write('run_1', type);
    const cursor = await openRun('run_1');
    expect(sequences(await cursor.next())).toEqual([1, 2, 3]);
    const next = cursor.next();
    write('run_1', 'run:fail');
    write('run_1', 'run:retry');
    await poll();
    expect(sequences(await next)).toEqual([4, 5]);
    const last = cursor.next();
    write('run_1', 'run:complete');
    await poll();
    expect(sequences(await last)).toEqual([6]);
    expect(await cursor.next()).toBeNull();
    expect(clock.pendingMs).toEqual([]);
  });

  test('of a long finished run ends at its last event, even if a page ended before it', async () => {
    for (const length of [199, 200, 201, 400, 401]) {
      const { write, openRun } = listedJournal();
      write('run_1', 'run:trigger');
      for (let i = 0; i < length - 2; i++) write('run_1', 'run:progress', '{"current":1}');
      write('run_1', 'run:complete');
      const cursor = await openRun('run_1');
      expect(await takeAll(cursor, length)).toEqual(Array.from({ length }, (_, i) => i + 1));
      expect(await cursor.next()).toBeNull();
    }
  });

  test('continues past an end that was the last event of a full page, if a retry followed', async () => {
    const { write, openRun } = listedJournal();
    write('run_1', 'run:trigger');
    for (let i = 0; i < 198; i++) write('run_1', 'run:progress', '{"current":1}');
    for (const type of ['run:fail', 'run:retry', 'run:complete'] as const) write('run_1', type);
    const cursor = await openRun('run_1');
    const taken: number[] = [];
    for (let page = await cursor.next(); page !== null; page = await cursor.next()) {
      taken.push(...page.map(({ sequence }) => sequence));
    }
    expect(taken).toEqual(Array.from({ length: 202 }, (_, i) => i + 1));
  });

  test("throws if its page can't be read, and can be read again", async () => {
    const { write, openRun, setFailure } = listedJournal();
    write('run_1', 'run:trigger');
    for (let i = 0; i < 300; i++) write('run_1', 'run:progress', '{"current":1}');
    write('run_1', 'run:complete');
    const cursor = await openRun('run_1');
    expect((await cursor.next())?.length).toBe(200);
    const away = new DatabaseUnavailableError('away');
    setFailure(away);
    await expect(cursor.next()).rejects.toBe(away);
    setFailure(undefined);
    expect((await cursor.next())?.length).toBe(102);
    expect(await cursor.next()).toBeNull();
  });
});
