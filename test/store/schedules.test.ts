import { expect } from 'vitest';
import { newRevision, newRunId } from '../../src/core/id.ts';
import type { ScheduleLook } from '../../src/core/schedules/schedule-store.ts';
import type { Store } from '../../src/core/store.ts';
import { contract } from '../support/contract.ts';
import {
  all,
  append,
  claim,
  claimOne,
  completed,
  firing,
  HOUR_MS,
  listIds,
  newSchedule,
  STALE_MS,
} from './requests.ts';

const dueSchedules = async (store: Store, schedules: ScheduleLook) =>
  (await store.wakeDue({ staleThresholdMs: STALE_MS, schedules })).schedules ?? [];

const due = async (store: Store) => {
  const found = await dueSchedules(store, { jobNames: ['job'], withinMs: 0 });
  const [schedule] = found;
  if (schedule === undefined || found.length > 1) throw new Error(`found ${found.length} due schedules`);
  return schedule;
};

/** A schedule whose slot has just come. */
async function dueSchedule(store: Store, given: Parameters<typeof newSchedule>[0] = {}) {
  await store.putSchedule(newSchedule({ nextAtMs: Date.now() - 1_000, ...given }));
  return await due(store);
}

contract('the slot of a schedule', (test) => {
  test('gets one run, however many processes fire it, and the schedule moves on with it', async ({
    world,
  }) => {
    const stores = await Promise.all([1, 2, 3].map(() => world.store()));
    const [{ store } = { store: undefined }] = stores;
    if (store === undefined) throw new Error('no store');
    const schedule = await dueSchedule(store, { payload: '{"n":1}', labels: '{"org":"7"}', priority: 5 });
    const fired = await Promise.all(stores.map((each) => each.store.fireSlots([firing(schedule)])));
    const made = fired.flatMap(({ runIds }) => [...runIds]);
    expect(made).toHaveLength(1);
    expect(await listIds(store)).toEqual(made);
    for (const { schedules } of fired) {
      expect(schedules.map(({ nextAtMs }) => nextAtMs)).toEqual([(schedule.nextAtMs ?? 0) + HOUR_MS]);
    }
    const run = await store.getRun(made[0] ?? '');
    expect(run).toMatchObject({
      jobName: 'job',
      status: 'pending',
      scheduleId: 'schedule',
      scheduledFor: new Date(schedule.nextAtMs ?? 0).toISOString(),
      labels: { org: '7' },
    });
    expect(run?.payload.text).toBe('{"n":1}');
    expect(await claimOne(store)).toMatchObject({ runId: made[0], kind: 'start' });
  });

  test('is not fired before its time by the database, whatever the process thinks', async ({ world }) => {
    const { store } = await world.store();
    await store.putSchedule(newSchedule({ nextAtMs: Date.now() + 60_000 }));
    const [schedule] = await dueSchedules(store, { jobNames: ['job'], withinMs: HOUR_MS });
    const { runIds, schedules } = await store.fireSlots([firing(schedule)]);
    expect(runIds.size).toBe(0);
    expect(schedules).toMatchObject([{ nextAtMs: schedule?.nextAtMs }]);
    // Nor is a later slot that is fired along with one that has come.
    await (await world.tools()).ageSchedules(61_000);
    const now = await due(store);
    const validFromMs = (now.nextAtMs ?? 0) + HOUR_MS;
    expect((await store.fireSlots([firing(now, { validFromMs })])).runIds.size).toBe(0);
    expect(await listIds(store)).toEqual([]);
  });

  test('is not fired by a plan that is out of date', async ({ world }) => {
    const { store } = await world.store();
    const schedule = await dueSchedule(store);
    expect((await store.fireSlots([firing(schedule, { validUntilMs: Date.now() - 500 })])).runIds.size).toBe(
      0,
    );
    // Its input was changed.
    await store.putSchedule(newSchedule({ payload: '1' }));
    expect((await store.fireSlots([firing(schedule)])).runIds.size).toBe(0);
    await store.pauseSchedule('schedule');
    expect((await store.fireSlots([firing({ ...schedule, ...(await current(store)) })])).runIds.size).toBe(0);
    await store.deleteSchedule({ id: 'schedule' });
    expect(await store.fireSlots([firing(schedule)])).toMatchObject({ schedules: [] });
    expect(await listIds(store)).toEqual([]);
  });

  test('is found with a claim that looks for it, before it comes if it is to come soon', async ({
    world,
  }) => {
    const { store } = await world.store();
    await store.putSchedule(newSchedule({ id: 'soon', nextAtMs: Date.now() + 30_000 }));
    await store.putSchedule(newSchedule({ id: 'later', nextAtMs: Date.now() + HOUR_MS }));
    await store.putSchedule(newSchedule({ id: 'other', jobName: 'other', nextAtMs: Date.now() - 1_000 }));
    await store.putSchedule(newSchedule({ id: 'ended', nextAtMs: null }));
    await store.putSchedule(newSchedule({ id: 'paused', nextAtMs: Date.now() - 1_000 }));
    await store.pauseSchedule('paused');
    const ids = async (schedulesWithinMs: number | undefined) =>
      (await claim(store, { schedulesWithinMs })).schedules?.map(({ id }) => id);
    expect(await ids(60_000)).toEqual(['soon']);
    expect(await ids(2 * HOUR_MS)).toEqual(['soon', 'later']);
    expect(await ids(0)).toEqual([]);
    expect(await ids(undefined)).toBeUndefined();
  });

  test('fires many slots and schedules at once', async ({ world }) => {
    const { store } = await world.store();
    for (const id of ['a', 'b']) {
      await store.putSchedule(newSchedule({ id, nextAtMs: Date.now() - 10_000 }));
    }
    const found = await dueSchedules(store, { jobNames: ['job'], withinMs: 0 });
    const slots = (from: number) => [0, 1, 2].map((i) => ({ runId: newRunId(), scheduledForMs: from + i }));
    const firings = found.map((each) => firing(each, { runs: slots(each.nextAtMs ?? 0) }));
    const { runIds } = await store.fireSlots(firings);
    expect([...runIds].sort()).toEqual(firings.flatMap(({ runs }) => runs.map(({ runId }) => runId)).sort());
    expect(await listIds(store, { scheduleId: 'a' })).toEqual(
      firings[0]?.runs.map(({ runId }) => runId).reverse(),
    );
    expect(await listIds(store, { scheduleId: 'a', statuses: ['running'] })).toEqual([]);
    expect(await listIds(store, { scheduleId: 'c' })).toEqual([]);
  });
});

/** What a plan names of the schedule as it is now. */
async function current(store: Store) {
  const { schedule } = await store.getSchedule('schedule');
  if (schedule === null) throw new Error('no schedule');
  return { revision: schedule.revision, nextAtMs: schedule.nextAtMs };
}

contract('a slot while an earlier run of its schedule is active', (test) => {
  test('makes no run if it is to skip, and one when that run has ended', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const first = await dueSchedule(store, { overlap: 'skip' });
    expect((await store.fireSlots([firing(first)])).runIds.size).toBe(1);
    await tools.ageSchedules(HOUR_MS);
    expect(await store.fireSlots([firing(await due(store))])).toMatchObject({ runIds: new Set() });
    const run = await claimOne(store);
    await append(store, run, [completed()]);
    await tools.ageSchedules(HOUR_MS);
    expect((await store.fireSlots([firing(await due(store))])).runIds.size).toBe(1);
    expect(await listIds(store)).toHaveLength(2);
  });

  test('cancels that run and makes its own, if it is to cancel', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const schedule = await dueSchedule(store, { overlap: 'cancel' });
    await store.fireSlots([firing(schedule)]);
    const earlier = await claimOne(store);
    // A plan that is not current cancels nothing.
    expect((await store.fireSlots([firing(schedule)])).cancelled).toEqual([]);
    await tools.ageSchedules(HOUR_MS);
    const { runIds, cancelled } = await store.fireSlots([firing(await due(store))]);
    expect(cancelled).toEqual([{ runId: earlier.runId, jobName: 'job' }]);
    expect(runIds.size).toBe(1);
    expect(await store.getRun(earlier.runId)).toMatchObject({ status: 'cancelled' });
    expect(await append(store, earlier, [completed()])).toBe('refused');
  });

  test('cancels nothing if the slot itself makes no run', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    await store.fireSlots([firing(await dueSchedule(store, { overlap: 'cancel' }))]);
    await tools.ageSchedules(HOUR_MS);
    const { cancelled } = await store.fireSlots([firing(await due(store), { runs: [] })]);
    expect(cancelled).toEqual([]);
    expect(await listIds(store, { statuses: ['pending'] })).toHaveLength(1);
  });
});

contract('a stored schedule', (test) => {
  test('keeps its next slot unless its timing changes', async ({ world }) => {
    const { store } = await world.store();
    const first = await store.putSchedule(newSchedule({ nextAtMs: 5_000, anchorMs: 4 }));
    const again = await store.putSchedule(newSchedule({ nextAtMs: 9_000, anchorMs: 8 }));
    expect(again).toMatchObject({ nextAtMs: 5_000, revision: first.revision, timing: { anchorMs: 4 } });
    const changed = await store.putSchedule(newSchedule({ nextAtMs: 9_000, payload: '1', missed: 'all' }));
    expect(changed).toMatchObject({ nextAtMs: 5_000, payload: '1', missed: 'all' });
    expect(changed.revision).not.toBe(first.revision);
    const timing = JSON.stringify({ ...first.timing, anchorMs: undefined, everyMs: 2 * HOUR_MS });
    const moved = await store.putSchedule(newSchedule({ nextAtMs: 9_000, anchorMs: 8, timing }));
    expect(moved).toMatchObject({ nextAtMs: 9_000, timing: { everyMs: 2 * HOUR_MS, anchorMs: 8 } });
  });

  test('of a definition is changed by no caller and by no older version of its job', async ({ world }) => {
    const { store } = await world.store();
    await store.putSchedule(newSchedule({ fixedVersion: 2 }));
    for (const fixedVersion of [null, 1]) {
      expect(await store.putSchedule(newSchedule({ payload: '1', fixedVersion }))).toMatchObject({
        payload: '0',
        fixedVersion: 2,
      });
    }
    expect(await store.deleteSchedule({ id: 'schedule' })).toBe('fixed');
    expect(await store.deleteSchedule({ id: 'schedule', fixedVersion: 1 })).toBe('fixed');
    expect(await store.putSchedule(newSchedule({ payload: '1', fixedVersion: 3 }))).toMatchObject({
      payload: '1',
      fixedVersion: 3,
    });
    expect(await store.deleteSchedule({ id: 'schedule', fixedVersion: 3 })).toBe('done');
    expect(await store.deleteSchedule({ id: 'schedule', fixedVersion: 3 })).toBe('not-found');
  });

  test('that a caller has put is taken over by a definition', async ({ world }) => {
    const { store } = await world.store();
    await store.putSchedule(newSchedule());
    expect(await store.putSchedule(newSchedule({ fixedVersion: 1 }))).toMatchObject({ fixedVersion: 1 });
  });

  test('is read with the time of the database, and listed by id with its payload', async ({ world }) => {
    const { store } = await world.store();
    const before = Date.now();
    expect(await store.getSchedule('schedule')).toMatchObject({ schedule: null });
    const large = JSON.stringify('x'.repeat(40_000));
    await store.putSchedule(newSchedule({ id: 'b', payload: large, limitKey: '', throttleKey: null }));
    await store.putSchedule(newSchedule({ id: 'a', labels: '{"org":"7"}', throttleKey: 'k' }));
    const { schedule, nowMs } = await store.getSchedule('b');
    expect(nowMs).toBeGreaterThanOrEqual(before);
    expect(schedule).toMatchObject({ payload: large, isPaused: false, limitKey: '', throttleKey: null });
    const listed = await all(store.listSchedules());
    expect(listed.map(({ id, payload }) => [id, payload])).toEqual([
      ['a', '0'],
      ['b', large],
    ]);
    expect(listed[0]).toMatchObject({ labels: '{"org":"7"}', throttleKey: 'k', priority: 0 });
  });

  test('is paused and resumed, and goes on with the slot that it is given', async ({ world }) => {
    const { store } = await world.store();
    const { revision } = await store.putSchedule(newSchedule());
    expect(await store.pauseSchedule('schedule')).toBe(true);
    expect(await store.pauseSchedule('schedule')).toBe(true);
    expect(await store.pauseSchedule('unknown')).toBe(false);
    const resume = (given: string, nextAtMs: number | null) =>
      store.resumeSchedule({ id: 'schedule', revision: given, nextAtMs });
    expect(await resume(newRevision(), 7_000)).toMatchObject({ isPaused: true });
    expect(await resume(revision, 7_000)).toMatchObject({ isPaused: false, nextAtMs: 7_000 });
    // It is not paused any more.
    expect(await resume(revision, 8_000)).toMatchObject({ isPaused: false, nextAtMs: 7_000 });
    expect(await store.resumeSchedule({ id: 'unknown', revision, nextAtMs: 1 })).toBeNull();
  });

  test('makes a run beside its slots, once for each id', async ({ world }) => {
    const { store } = await world.store();
    const { nextAtMs } = await store.putSchedule(newSchedule({ overlap: 'skip' }));
    const [runId, other] = [newRunId(), newRunId()];
    for (let i = 0; i < 2; i++) expect(await store.fireSchedule({ id: 'schedule', runId })).toBe('job');
    expect(await store.fireSchedule({ id: 'schedule', runId: other })).toBe('job');
    expect(await store.fireSchedule({ id: 'unknown', runId: newRunId() })).toBeUndefined();
    expect(await listIds(store, { scheduleId: 'schedule' })).toEqual([other, runId]);
    expect(await store.getRun(runId)).toMatchObject({ scheduleId: 'schedule', scheduledFor: null });
    expect((await store.getSchedule('schedule')).schedule?.nextAtMs).toBe(nextAtMs);
  });
});
