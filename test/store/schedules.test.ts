import { expect } from 'vitest';
import { newRevision, newRunId } from '../../src/core/id.ts';
import { contract } from '../support/contract.ts';
import { all, HOUR_MS, listIds, newSchedule } from './requests.ts';

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
