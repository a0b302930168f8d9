import { expect } from 'vitest';
import { newRunId } from '../../src/core/id.ts';
import type { ScheduleLook } from '../../src/core/schedules/schedule-store.ts';
import type { Store } from '../../src/core/store.ts';
import { contract } from '../support/contract.ts';
import {
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
