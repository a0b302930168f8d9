import { expect } from 'vitest';
import { MAX_LOST_WORKERS, SUSPECT_AFTER_LOST_WORKERS } from '../../src/core/run.ts';
import { contract } from '../support/contract.ts';
import {
  append,
  claim,
  claimIds,
  claimOne,
  enqueue,
  eventTypes,
  loseWorkers,
  running,
  STALE_MS,
  stepCompleted,
  stepFailed,
} from './requests.ts';

contract('a running run whose heartbeat is stale', (test) => {
  test.for([
    { what: 'older than the threshold', byMs: STALE_MS + 1_000, isTaken: true },
    { what: 'younger than the threshold', byMs: STALE_MS - 10_000, isTaken: false },
    { what: 'in the future by more than the threshold', byMs: -STALE_MS - 10_000, isTaken: true },
    { what: 'in the future by less than the threshold', byMs: -STALE_MS + 10_000, isTaken: false },
  ])('a heartbeat that is $what: taken over $isTaken', async ({ byMs, isTaken }, { world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const { runId } = await running(store);
    await tools.ageHeartbeat(runId, byMs);
    expect(await claimIds(store)).toEqual(isTaken ? [runId] : []);
  });

  test('opens another attempt under a higher fence, and counts the lost worker', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const first = await running(store, { payload: '"text"' });
    await append(store, first, [stepCompleted('one', 0)]);
    await tools.ageHeartbeat(first.runId, STALE_MS + 1_000);
    const second = await claimOne(store);
    expect(second).toMatchObject({
      runId: first.runId,
      kind: 'takeover',
      attempt: 2,
      lostCount: 1,
      stepCount: 1,
      payload: '"text"',
    });
    expect(second.fence).toBeGreaterThan(first.fence);
    expect(await eventTypes(store, first.runId)).toEqual([
      'run:trigger',
      'run:start',
      'step:complete',
      'run:start',
    ]);
    expect(await claimIds(store)).toEqual([]);
  });

  test('is left to workers that know its job', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const { runId } = await running(store);
    await tools.ageHeartbeat(runId, STALE_MS + 1_000);
    expect(await claimIds(store, { jobNames: ['other'], limit: 10 })).toEqual([]);
  });

  test('is taken in the order of insertion, among the pending ones', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const first = await enqueue(store);
    const lost = await enqueue(store, { jobName: 'other' });
    const last = await enqueue(store);
    await claimOne(store, { jobNames: ['other'] });
    await tools.ageHeartbeat(lost, STALE_MS + 1_000);
    const jobNames = ['job', 'other'];
    expect(await claimIds(store, { jobNames, limit: 2 })).toEqual([first, lost]);
    expect(await claimIds(store, { jobNames, limit: 2 })).toEqual([last]);
  });

  test('counts lost workers until a result is stored; a failed step does not reset the count', async ({
    world,
  }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const runId = await enqueue(store);
    await loseWorkers(store, tools, { runId, times: 2 });
    const third = await claimOne(store);
    expect(third.lostCount).toBe(2);
    await append(store, third, [stepFailed('one', 0)]);
    await tools.ageHeartbeat(runId, STALE_MS + 1_000);
    const fourth = await claimOne(store);
    expect(fourth.lostCount).toBe(3);
    await append(store, fourth, [stepCompleted('one', 0)]);
    await tools.ageHeartbeat(runId, STALE_MS + 1_000);
    expect((await claimOne(store)).lostCount).toBe(1);
  });

  test(`fails when it has lost ${MAX_LOST_WORKERS} workers, and the claim reports it`, async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const runId = await enqueue(store);
    await loseWorkers(store, tools, { runId, times: MAX_LOST_WORKERS });
    const other = await enqueue(store);
    const { runs, lost } = await claim(store, { limit: 2 });
    expect(runs.map((run) => run.runId)).toEqual([other]);
    const error = expect.stringContaining(`${MAX_LOST_WORKERS}`);
    expect(lost).toEqual([{ runId, jobName: 'job', attempt: MAX_LOST_WORKERS, error, detail: null }]);
    expect(await store.getRun(runId)).toMatchObject({ status: 'failed', error: lost[0]?.error });
    expect((await eventTypes(store, runId)).slice(-2)).toEqual(['run:start', 'run:fail']);
    expect(await store.command('retry', runId)).toMatchObject({ kind: 'done' });
    expect(await claimOne(store)).toMatchObject({ runId, kind: 'start', lostCount: 0 });
  });
});

contract(`a run that has lost ${SUSPECT_AFTER_LOST_WORKERS} workers`, (test) => {
  test('is taken only by a claim that takes a suspect', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const runId = await enqueue(store);
    await loseWorkers(store, tools, { runId, times: SUSPECT_AFTER_LOST_WORKERS });
    expect(await claimIds(store, { takesSuspect: false, limit: 10 })).toEqual([]);
    expect(await claimOne(store)).toMatchObject({ runId, lostCount: SUSPECT_AFTER_LOST_WORKERS });
  });

  test('is taken only by such a claim after it was handed back, too', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const runId = await enqueue(store);
    await loseWorkers(store, tools, { runId, times: SUSPECT_AFTER_LOST_WORKERS });
    await store.handBack([await claimOne(store)]);
    expect(await claimIds(store, { takesSuspect: false, limit: 10 })).toEqual([]);
    expect(await claimIds(store, { limit: 10 })).toEqual([runId]);
  });

  test('is taken one at a time, the oldest first, together with other stale runs', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const [first, second] = [await enqueue(store, { jobName: 'a' }), await enqueue(store, { jobName: 'b' })];
    const lost = await enqueue(store, { jobName: 'c' });
    for (let i = 0; i < SUSPECT_AFTER_LOST_WORKERS; i++) {
      for (const [runId, jobName] of [
        [first, 'a'],
        [second, 'b'],
      ] as const) {
        await claimOne(store, { jobNames: [jobName] });
        await tools.ageHeartbeat(runId, STALE_MS + 1_000);
      }
    }
    await claimOne(store, { jobNames: ['c'] });
    await tools.ageHeartbeat(lost, STALE_MS + 1_000);
    const jobNames = ['a', 'b', 'c'];
    expect(await claimIds(store, { jobNames, limit: 10 })).toEqual([first, lost]);
    expect(await claimIds(store, { jobNames, limit: 10 })).toEqual([second]);
  });
});
