import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ServerWatch, type WriteOutage } from '../../../../src/storage/sqlite/connection/server-watch.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const LOST = new Error('no answer');

function watched() {
  const clock = new FakeClock();
  const outages: WriteOutage[] = [];
  const reads = { count: 0, isAnswered: true };
  const watch: ServerWatch = new ServerWatch({
    clock,
    read: async () => {
      reads.count++;
      watch.noteRead(reads.isAnswered ? 'answered' : 'lost');
      if (!reads.isAnswered) throw LOST;
    },
    onWriteOutage: (outage) => void outages.push(outage),
  });
  /** A write that takes so long and is lost, and all that follows from that. */
  const lose = async (ms: number) => {
    watch.noteWriteBegins();
    clock.advance(ms);
    watch.noteWriteLost(LOST);
    await nextTurn();
  };
  return { clock, watch, outages, reads, lose };
}

describe('a server without an answer to any write', () => {
  test('is reported once after 30 s if it answers reads, and once more when it takes a write', async () => {
    const { watch, outages, lose, clock } = watched();
    await lose(15_000);
    await lose(14_999);
    expect(outages).toEqual([]);
    await lose(1);
    expect(outages).toEqual([{ kind: 'began', error: expect.any(Error) }]);
    for (let i = 0; i < 10; i++) await lose(15_000);
    expect(outages).toHaveLength(1);
    watch.noteWriteBegins();
    clock.advance(500);
    watch.noteWriteAnswered();
    expect(outages.slice(1)).toEqual([{ kind: 'ended', lastedMs: 180_500 }]);
    for (let i = 0; i < 2; i++) await lose(15_000);
    expect(outages.map(({ kind }) => kind)).toEqual(['began', 'ended', 'began']);
  });

  test('is not reported before it answers reads', async () => {
    const { outages, reads, lose } = watched();
    reads.isAnswered = false;
    for (let i = 0; i < 4; i++) await lose(15_000);
    expect(outages).toEqual([]);
    expect(reads.count).toBe(4);
    reads.isAnswered = true;
    await lose(15_000);
    expect(outages).toEqual([]);
    await lose(15_000);
    expect(outages).toHaveLength(1);
  });

  test('is not reported after an outage in which it answered reads only at the begin and at the end', async () => {
    const { clock, watch, outages, reads, lose } = watched();
    watch.noteWriteBegins();
    clock.advance(1_000);
    watch.noteRead('answered');
    clock.advance(14_000);
    reads.isAnswered = false;
    watch.noteWriteLost(LOST);
    await nextTurn();
    for (let i = 0; i < 2; i++) await lose(15_000);
    watch.noteWriteBegins();
    clock.advance(14_000);
    watch.noteRead('answered');
    reads.isAnswered = true;
    clock.advance(1_000);
    watch.noteWriteLost(LOST);
    await nextTurn();
    expect(outages).toEqual([]);
    watch.noteWriteBegins();
    watch.noteWriteAnswered();
    expect(outages).toEqual([]);
  });

  test('is not reported if a write was answered meanwhile', async () => {
    const { watch, outages, lose } = watched();
    for (const ms of [15_000, 14_000]) await lose(ms);
    watch.noteWriteAnswered();
    for (const ms of [15_000, 14_000]) await lose(ms);
    expect(outages).toEqual([]);
  });

  test('is asked by one read at a time', async () => {
    const { clock, watch, reads } = watched();
    watch.noteWriteBegins();
    clock.advance(40_000);
    watch.noteWriteLost(LOST);
    watch.noteWriteLost(LOST);
    expect(reads.count).toBe(1);
  });
});

describe('the trouble with a server that did not take a write', () => {
  test('is that it takes no writes if a read was just answered, and otherwise that it does not answer', () => {
    const { clock, watch } = watched();
    expect(watch.trouble).toBe('database does not answer');
    watch.noteRead('answered');
    clock.advance(2_000);
    expect(watch.trouble).toBe('database takes no writes');
    clock.advance(1);
    expect(watch.trouble).toBe('database does not answer');
    watch.noteRead('answered');
    watch.noteRead('lost');
    expect(watch.trouble).toBe('database does not answer');
  });

  test('is unknown if the server refuses reads, because its own error says why', () => {
    const { watch } = watched();
    watch.noteRead('refused');
    expect(watch.trouble).toBeUndefined();
  });
});
