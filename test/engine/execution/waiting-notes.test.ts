import { describe, expect, test } from 'vitest';
import type { OwnerNote } from '../../../src/core/store.ts';
import { LogBudget } from '../../../src/engine/execution/journal/log-budget.ts';
import { WaitingNotes } from '../../../src/engine/execution/journal/waiting-notes.ts';

const MiB = 1024 * 1024;
/** A line that counts as about a megabyte. */
const LINE: OwnerNote = {
  type: 'log:write',
  level: 'info',
  message: 'line',
  data: 'x'.repeat(MiB / 2 - 256),
};
const SHORT: OwnerNote = { type: 'log:write', level: 'info', message: 'short' };

/** Floods the log and returns the number of lines that were kept. */
function flood(notes: WaitingNotes): number {
  const before = notes.length;
  for (let i = 0; i < 100; i++) notes.push({ note: LINE, atMs: i });
  // The last line reports those that were left out.
  return notes.length - before - 1;
}

describe('waiting log lines', () => {
  test('of one run take half of the budget, which leaves room for others', () => {
    const budget = new LogBudget();
    const [first, second, third] = [0, 1, 2].map(() => new WaitingNotes(budget)) as [
      WaitingNotes,
      WaitingNotes,
      WaitingNotes,
    ];
    expect(flood(first)).toBe(32);
    expect(flood(second)).toBe(16);
    third.push({ note: SHORT, atMs: 0 });
    expect(third.leavesOut('log:write')).toBe(false);
  });

  test('of ten runs together stay within the budget', () => {
    const budget = new LogBudget();
    const kept = Array.from({ length: 10 }, () => flood(new WaitingNotes(budget)));
    const sum = kept.reduce((one, other) => one + other);
    expect(sum).toBeGreaterThan(50);
    expect(sum).toBeLessThanOrEqual(64);
  });

  test('take room in the budget until they are stored or forgotten', () => {
    const budget = new LogBudget();
    const [first, second] = [new WaitingNotes(budget), new WaitingNotes(budget)];
    flood(first);
    while (first.length > 0) first.take();
    expect(flood(second)).toBe(16);
    first.release();
    second.clear();
    expect(flood(first)).toBe(32);
  });

  test('are not left out because of the results of others', () => {
    const budget = new LogBudget();
    const [first, second] = [new WaitingNotes(budget), new WaitingNotes(budget)];
    const settle = { resolve: () => undefined, reject: () => undefined };
    for (let i = 0; i < 100; i++) {
      first.push({ note: { ...LINE, type: 'step:complete', stepName: `${i}` }, atMs: i, settle });
    }
    expect(flood(second)).toBe(32);
  });

  test('are accepted at any size if nothing else waits', () => {
    const notes = new WaitingNotes(new LogBudget());
    notes.push({ note: { ...LINE, data: 'x'.repeat(40 * MiB) }, atMs: 0 });
    expect(notes.leavesOut('log:write')).toBe(false);
    notes.push({ note: SHORT, atMs: 1 });
    expect(notes.leavesOut('log:write')).toBe(true);
  });

  test('are counted apart from events of the job', () => {
    const notes = new WaitingNotes(new LogBudget());
    notes.push({ note: { ...LINE, data: 'x'.repeat(40 * MiB) }, atMs: 0 });
    for (const type of ['run:emit', 'log:write', 'run:emit'] as const) {
      notes.push({ note: { type, message: 'more' }, atMs: 1 });
    }
    expect(notes.take()).toHaveLength(1);
    expect(notes.take()[0]?.note).toMatchObject({
      type: 'log:write',
      level: 'warn',
      message: '1 log line and 2 events were left out here: they came faster than they could be stored',
    });
  });
});
