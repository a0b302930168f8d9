import { describe, expect, test } from 'vitest';
import { journal } from './held-journal.ts';

describe('log lines that arrive faster than they are stored', () => {
  const line = 'x'.repeat(1024 * 1024);

  test('are left out beyond half of the budget, and one line says how many', async () => {
    const kept = journal(async () => 'stored');
    const { log, owner, texts } = kept;
    for (let i = 0; i < 1_000; i++) log(line);
    expect(owner.leavesOut('log:write')).toBe(true);
    expect(await owner.record({ type: 'run:complete', data: 'null' })).toBe('stored');
    const stored = texts().flat();
    const warning = stored.filter((text) => text !== line && text !== 'run:complete');
    const lines = stored.filter((text) => text === line).length;
    // A mebibyte of characters counts twice.
    expect(lines).toBeGreaterThanOrEqual(15);
    expect(lines).toBeLessThanOrEqual(17);
    expect(warning).toEqual([
      `${1_001 - lines} log lines were left out here: they came faster than they could be stored`,
    ]);
    expect(stored.slice(-2)).toEqual([warning[0], 'run:complete']);
    for (const group of texts()) expect(group.filter((text) => text === line).length).toBeLessThanOrEqual(1);
  });

  test('are accepted again after the waiting ones have been stored', async () => {
    const { clock, log, texts, owner } = journal(async () => 'stored');
    for (let i = 0; i < 100; i++) log(line);
    await owner.flush();
    log('after');
    clock.advance(50);
    expect(texts().at(-1)).toEqual(['after']);
  });

  test('are all stored if they are a hundred thousand short ones', async () => {
    const { log, owner, texts } = journal(async () => 'stored');
    for (let i = 0; i < 100_000; i++) log(`line ${i}`);
    await owner.flush();
    expect(texts().flat()).toHaveLength(100_000);
    expect(texts().flat().at(-1)).toBe('line 99999');
  });
});
