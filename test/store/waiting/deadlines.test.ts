import { expect } from 'vitest';
import { JsonText } from '../../../src/core/json/json-text.ts';
import type { Store } from '../../../src/core/store.ts';
import { contract } from '../../support/contract.ts';
import {
  append,
  claim,
  claimIds,
  claimOne,
  completed,
  enqueue,
  entry,
  eventTypes,
  failed,
  running,
  STALE_MS,
} from '../requests.ts';

const HOUR_MS = 3_600_000;
const TEN_MINUTES = { ms: 600_000, text: '10m' };
const TWO_HOURS = { ms: 2 * HOUR_MS, text: '2h' };

const waits = (dueAt: number) =>
  entry({
    type: 'run:wait',
    data: JSON.stringify({
      dueAt,
      waits: [{ kind: 'sleep', stepName: 'rest', until: new Date(dueAt).toISOString() }],
    }),
  });

async function failEvent(store: Store, runId: string) {
  const { rows } = await store.readRunJournal({ runId, after: 0, limit: 100 });
  return rows.find(({ type }) => type === 'run:fail');
}

contract('a run with a ttl', (test) => {
  test('fails if it was not claimed in time, and is never started', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const id = await enqueue(store, { ttl: TEN_MINUTES });
    await tools.ageDeadline(id, TEN_MINUTES.ms);
    const detail = JSON.stringify({ name: 'RunExpiredError', message: 'not started within 10m' });
    expect(await claim(store, { limit: 5 })).toMatchObject({
      runs: [],
      lost: [{ runId: id, jobName: 'job', attempt: 0, error: 'not started within 10m', detail }],
    });
    expect(await store.getRun(id)).toMatchObject({
      status: 'failed',
      error: 'not started within 10m',
      errorDetail: JsonText.ofDetail(
        JSON.stringify({ name: 'RunExpiredError', message: 'not started within 10m' }),
      ),
      failedStepName: 'unknown',
      startedAt: null,
      completedAt: expect.any(String),
      attempt: 0,
    });
    expect(await eventTypes(store, id)).toEqual(['run:trigger', 'run:fail']);
    expect(await failEvent(store, id)).toMatchObject({ message: 'not started within 10m', data: detail });
  });

  test('is not started by a claim that looks for nothing else either', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const id = await enqueue(store, { ttl: TEN_MINUTES, concurrencyKey: 'k' });
    const next = await enqueue(store, { concurrencyKey: 'k' });
    await tools.ageDeadline(id, TEN_MINUTES.ms);
    const { runs, lost } = await claim(store, { wakesDue: false });
    expect(runs).toEqual([]);
    expect(lost).toMatchObject([{ runId: id, error: 'not started within 10m' }]);
    expect(await eventTypes(store, id)).toEqual(['run:trigger', 'run:fail']);
    expect((await store.getRun(id))?.startedAt).toBeNull();
    expect(await claimIds(store)).toEqual([next]);
  });

  test('fails though its key is taken, or no worker knows its job', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    await running(store, { concurrencyKey: 'k' });
    const blocked = await enqueue(store, { concurrencyKey: 'k', ttl: TEN_MINUTES });
    const unknown = await enqueue(store, { jobName: 'unknown', ttl: TEN_MINUTES });
    for (const id of [blocked, unknown]) await tools.ageDeadline(id, TEN_MINUTES.ms);
    const { lost } = await claim(store);
    expect(lost.map(({ runId }) => runId).sort()).toEqual([blocked, unknown].sort());
  });

  test('counts from when it is due', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const id = await enqueue(store, { ttl: TEN_MINUTES, due: { afterMs: HOUR_MS } });
    await tools.ageDeadline(id, HOUR_MS);
    expect(await claim(store)).toMatchObject({ runs: [], lost: [] });
    await tools.ageDeadline(id, TEN_MINUTES.ms);
    await tools.ageDue(id, HOUR_MS);
    expect(await claim(store)).toMatchObject({ runs: [], lost: [{ runId: id }] });
    const past = await enqueue(store, { ttl: TEN_MINUTES, due: { atMs: 1_000 } });
    expect(await claimIds(store)).toEqual([past]);
  });

  test('may take any time once it was claimed, also after a hand-back', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const run = await running(store, { ttl: TEN_MINUTES });
    expect(run.deadline).toBeUndefined();
    await tools.ageDeadline(run.runId, HOUR_MS);
    await store.handBack([run]);
    const again = await claimOne(store);
    expect(await append(store, again, [completed()])).toBe('stored');
  });

  test('has all of it again after a retry by hand', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const id = await enqueue(store, { ttl: TEN_MINUTES });
    await tools.ageDeadline(id, TEN_MINUTES.ms);
    await claim(store);
    await store.command('retry', id);
    expect(await store.getRun(id)).toMatchObject({ status: 'pending', error: null, errorDetail: null });
    await tools.ageDeadline(id, TEN_MINUTES.ms);
    expect((await claim(store)).lost).toMatchObject([{ runId: id }]);
    await store.command('retry', id);
    expect(await claimOne(store)).toMatchObject({ runId: id, kind: 'start', attempt: 1 });
  });

  test('fails with the answer whether the time of more is up', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const ids = [];
    for (let i = 0; i < 201; i++) ids.push(await enqueue(store, { ttl: TEN_MINUTES, jobName: 'unknown' }));
    for (const id of ids) await tools.ageDeadline(id, TEN_MINUTES.ms);
    const first = await claim(store);
    expect({ lost: first.lost.length, moreDue: first.moreDue }).toEqual({ lost: 200, moreDue: true });
    const second = await claim(store);
    expect({ lost: second.lost.length, moreDue: second.moreDue }).toEqual({ lost: 1, moreDue: false });
  });
});

contract('a run with a timeout', (test) => {
  test('has its time from its first claim on, whoever claims it', async ({ world }) => {
    const { store } = await world.store();
    const first = await running(store, { timeout: TWO_HOURS });
    const { atMs = 0, text } = first.deadline ?? {};
    const { startedAt } = (await store.getRun(first.runId)) ?? {};
    expect(text).toBe('2h');
    expect(atMs).toBe(Date.parse(startedAt ?? '') + TWO_HOURS.ms);
    await store.handBack([first]);
    expect((await claimOne(store)).deadline).toEqual(first.deadline);
  });

  test('fails while it waits', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const run = await running(store, { timeout: TWO_HOURS });
    await append(store, run, [waits(Date.now() + 5 * HOUR_MS)]);
    await tools.ageDeadline(run.runId, TWO_HOURS.ms);
    const { runs, lost } = await claim(store);
    expect(runs).toEqual([]);
    expect(lost).toMatchObject([{ runId: run.runId, attempt: 1, error: 'timed out after 2h' }]);
    expect(await store.getRun(run.runId)).toMatchObject({
      status: 'failed',
      error: 'timed out after 2h',
      errorDetail: JsonText.ofDetail(
        JSON.stringify({ name: 'RunTimeoutError', message: 'timed out after 2h', code: 'RUN_TIMEOUT' }),
      ),
      waits: [],
    });
    expect((await eventTypes(store, run.runId)).slice(-2)).toEqual(['run:wait', 'run:fail']);
  });

  test('fails when it is due and its time is up', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const run = await running(store, { timeout: TWO_HOURS });
    await append(store, run, [waits(Date.now() + HOUR_MS)]);
    await tools.ageDeadline(run.runId, TWO_HOURS.ms);
    await tools.ageDue(run.runId, HOUR_MS);
    expect(await claim(store)).toMatchObject({ runs: [], lost: [{ error: 'timed out after 2h' }] });
  });

  test('is not taken over when its time is up', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const run = await running(store, { timeout: TWO_HOURS });
    await tools.ageDeadline(run.runId, TWO_HOURS.ms);
    await tools.ageHeartbeat(run.runId, STALE_MS + 1_000);
    expect(await claim(store)).toMatchObject({
      runs: [],
      lost: [{ runId: run.runId, attempt: 1, error: 'timed out after 2h' }],
    });
    expect(await append(store, run, [completed()])).toBe('refused');
  });

  test('is left to its owner for a while, and then fails', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const run = await running(store, { timeout: TWO_HOURS });
    await tools.ageDeadline(run.runId, TWO_HOURS.ms);
    expect(await claim(store)).toMatchObject({ runs: [], lost: [] });
    await tools.ageDeadline(run.runId, STALE_MS + 1);
    expect(await claim(store)).toMatchObject({ lost: [{ runId: run.runId, error: 'timed out after 2h' }] });
    expect(await append(store, run, [completed()])).toBe('refused');
    expect(await store.renew([run])).toEqual([]);
  });

  test('has its time again after a retry by hand, from the next claim on', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const run = await running(store, { timeout: TWO_HOURS });
    await append(store, run, [failed()]);
    await tools.ageDeadline(run.runId, TWO_HOURS.ms);
    await store.command('retry', run.runId);
    const again = await claimOne(store);
    expect(again.deadline?.atMs).toBeGreaterThan(Date.now() + HOUR_MS);
  });

  test('takes the one of its job at its first claim, unless its trigger has one', async ({ world }) => {
    const { store } = await world.store();
    const terms = [{ jobName: 'job', version: 3, timeout: TEN_MINUTES }];
    const own = await enqueue(store, { timeout: TWO_HOURS });
    const none = await enqueue(store, { jobName: 'other' });
    const jobs = await enqueue(store);
    const { runs } = await claim(store, { jobNames: ['job', 'other'], limit: 5, terms });
    expect(runs.map(({ runId, version, deadline }) => [runId, version, deadline?.text])).toEqual([
      [own, 3, '2h'],
      [none, 1, undefined],
      [jobs, 3, '10m'],
    ]);
    await store.handBack(runs);
    const later = [{ jobName: 'other', version: 4, timeout: TEN_MINUTES }];
    const again = await claim(store, { jobNames: ['job', 'other'], limit: 5, terms: later });
    expect(again.runs.map(({ version, deadline }) => [version, deadline])).toEqual(
      runs.map(({ version, deadline }) => [version, deadline]),
    );
  });
});
