import { expect } from 'vitest';
import type { ClaimedRun } from '../../src/core/ownership/claim.ts';
import type { Store } from '../../src/core/store.ts';
import { contract } from '../support/contract.ts';
import { all, append, completed, enqueue, entry, eventTypes, running, stepCompleted } from './requests.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** A run that has ended and has so many journal rows that no single write should remove them. */
async function large(store: Store, idempotencyKey: string | null = null): Promise<ClaimedRun> {
  const run = await running(store, { idempotencyKey });
  for (let number = 1; number <= 4; number++) {
    const entries = Array.from({ length: 400 }, (_, i) =>
      i % 2 === 0
        ? entry({ type: 'log:write', level: 'info', message: `line ${i}` })
        : stepCompleted(`step ${number} ${i}`, number * 1_000 + i),
    );
    await append(store, run, entries, number);
  }
  await append(store, run, [completed()], 5);
  return run;
}

contract('a deleted run', (test) => {
  test('leaves rows that no reader sees if it is large, and they are removed in portions', async ({
    world,
  }) => {
    const { store } = await world.store();
    const { runId } = await large(store);
    const kept = await running(store);
    await append(store, kept, [stepCompleted('kept', 0)]);
    expect(await store.command('delete', runId)).toMatchObject({
      kind: 'done',
      jobName: 'job',
      leavesMore: true,
    });
    let portions = 0;
    let isLeft = true;
    while (isLeft) {
      expect(await store.getRun(runId)).toBeNull();
      expect(await all(store.listSteps(runId))).toEqual([]);
      expect(await all(store.listLogs({ runId, level: null, after: 0, limit: 10 }))).toEqual([]);
      expect(await eventTypes(store, runId)).toEqual(['run:delete']);
      const rows = await store.readJournal({ after: 0, limit: 10_000, withLabels: true });
      const left = rows.filter((row) => row.isLeftOver);
      expect(rows.filter((row) => row.runId === runId && !row.isLeftOver).map(({ type }) => type)).toEqual([
        'run:delete',
      ]);
      expect(left.every(({ data }) => data === null)).toBe(true);
      expect(await store.readJournalData(left.map(({ sequence }) => sequence))).toEqual(new Map());
      isLeft = await store.deletePortion();
      if (isLeft) portions++;
      expect(portions).toBeLessThan(20);
    }
    expect(portions).toBeGreaterThan(1);
    const rest = await store.readJournal({ after: 0, limit: 10_000, withLabels: false });
    expect(rest.map(({ type }) => type)).toEqual(['run:trigger', 'run:start', 'step:complete', 'run:delete']);
    expect(await all(store.listSteps(kept.runId))).toHaveLength(1);
  });

  test('frees its idempotency key at once', async ({ world }) => {
    const { store } = await world.store();
    const { runId } = await large(store, 'key');
    await store.command('delete', runId);
    const id = await enqueue(store, { idempotencyKey: 'key' });
    expect(await store.getRun(id)).not.toBeNull();
  });

  test('leaves no rows if it is small', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store);
    await append(store, run, [stepCompleted('one', 0), completed()]);
    expect(await store.command('delete', run.runId)).toMatchObject({ leavesMore: false });
    expect(await store.deletePortion()).toBe(false);
  });
});

contract('Store.purgePortion', (test) => {
  test('removes the events of deletions that are older than a day, and no others', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const types = async () =>
      (await store.readJournal({ after: 0, limit: 100, withLabels: false })).map(({ type }) => type);
    const remove = async () => {
      const id = await enqueue(store);
      await store.command('cancel', id);
      await store.command('delete', id);
      return id;
    };
    await remove();
    await tools.ageDeletions(DAY_MS - 60_000);
    expect(await store.purgePortion()).toBe(false);
    expect(await types()).toEqual(['run:delete']);
    await tools.ageDeletions(120_000);
    await enqueue(store);
    const young = await remove();
    expect(await store.purgePortion()).toBe(false);
    expect(await types()).toEqual(['run:trigger', 'run:delete']);
    expect(await eventTypes(store, young)).toEqual(['run:delete']);
  });

  test('keeps the sequence rising after all rows were removed', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const id = await enqueue(store);
    await store.command('cancel', id);
    await store.command('delete', id);
    const head = await store.journalHead();
    await tools.ageDeletions(2 * DAY_MS);
    await store.purgePortion();
    expect(await store.readJournal({ after: 0, limit: 10, withLabels: false })).toEqual([]);
    await enqueue(store);
    expect(await store.journalHead()).toBeGreaterThan(head);
  });
});
