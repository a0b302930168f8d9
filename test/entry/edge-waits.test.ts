import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createDurably } from '../../src/create-durably.ts';
import { remoteDialect } from '../../src/entry/edge/database.ts';
import { createEdgeService } from '../../src/entry/edge/service.ts';
import { temporaryFolder } from '../app/temporary.ts';
import { postJson, requestTo } from '../http/doors.ts';
import { waitingJobs } from '../runtime/waiting-jobs.ts';
import { copyMigratedFile } from '../storage/sqlite/support/migrated-file.ts';
import { Sqld } from '../support/sqld/server.ts';
import { createContext } from './context.ts';

/** The smallest budget of one run at once: its work ends after 10 requests. */
const BUDGET = 16;
const SETTINGS = { DURABLY_SUBREQUESTS: `${BUDGET}`, DURABLY_CONCURRENCY: '1' };

/** A service whose every invocation keeps within its budget of requests. */
async function startService() {
  const file = join(await temporaryFolder(), 'test.db');
  await copyMigratedFile(file);
  const sqld = await Sqld.start({ file });
  onTestFinished(() => sqld.stop());
  const service = createEdgeService(() => waitingJobs);
  const env = { TURSO_DATABASE_URL: sqld.url, ...SETTINGS };

  const withinBudget = async <T>(invocation: () => Promise<T>): Promise<T> => {
    const before = sqld.requests;
    const result = await invocation();
    expect(sqld.requests - before).toBeLessThanOrEqual(BUDGET);
    return result;
  };
  /** The answer to a request, after the work that follows it. */
  const send = (request: Request) =>
    withinBudget(async () => {
      const context = createContext();
      const response = await service.fetch(request, env, context);
      const answer = await response.json();
      await Promise.all(context.waiting);
      return answer;
    });
  const cron = () => withinBudget(() => service.scheduled({}, env, createContext()));
  const trigger = async (jobName: string, input = {}) => {
    const { runId } = await send(postJson('/trigger', { jobName, input }));
    return runId as string;
  };
  const signal = (runId: string, body: object = {}) =>
    send(postJson(`/signal?runId=${runId}`, { name: 'approval', payload: { ok: true }, ...body }));
  const post = (path: string) => send(requestTo(path, { method: 'POST' }));
  const readRun = (runId: string) => send(requestTo(`/run?runId=${runId}`));
  /** What waits for a time is due. */
  const makeDue = () => {
    for (const table of ['durably_steps', 'durably_runs'])
      sqld.query(`update ${table} set due_at = 1 where due_at is not null`);
  };
  /** The next slot of each schedule has come. */
  const makeSlotsCome = () =>
    sqld.query('update durably_schedules set next_at = next_at - 3600000, anchor_at = anchor_at - 3600000');
  return { sqld, send, cron, trigger, signal, post, readRun, makeDue, makeSlotsCome };
}

test('a request that signals a run goes on with it', async () => {
  const { trigger, signal, readRun } = await startService();
  const runId = await trigger('approve');
  expect(await readRun(runId)).toMatchObject({ status: 'waiting', waits: [{ signal: 'approval' }] });
  expect(await signal(runId)).toEqual({ disposition: 'accepted' });
  expect(await readRun(runId)).toMatchObject({ status: 'completed', output: { ok: true } });
});

test('a cron event fires the schedules that are due, and executes their runs', async () => {
  const { send, cron, makeSlotsCome } = await startService();
  for (const id of ['a', 'b', 'c']) {
    const body = JSON.stringify({ jobName: 'rest', every: '1h', overlap: 'cancel' });
    expect(await send(requestTo(`/schedule?id=${id}`, { method: 'PUT', body }))).toMatchObject({ id });
  }
  await cron();
  expect(await send(requestTo('/runs'))).toEqual([]);
  makeSlotsCome();
  await cron();
  const runs = await send(requestTo('/runs?fields=scheduleId,status'));
  expect(runs).toEqual(['c', 'b', 'a'].map((scheduleId) => ({ status: 'waiting', scheduleId })));
});

test.each([
  ['rest', 'sleep', 'rested'],
  ['flaky-step', 'retry', 'lucky'],
  ['flaky-job', 'retry', 'lucky'],
])(
  '%s: a cron event, and a request that signals any run, go on with a %s that is due',
  async (jobName, kind, output) => {
    const { trigger, cron, signal, readRun, makeDue } = await startService();
    const other = await trigger('approve');
    const invocations = [cron, () => signal(other)];
    for (const invocation of invocations) {
      const runId = await trigger(jobName);
      expect(await readRun(runId)).toMatchObject({ status: 'waiting', waits: [{ kind }] });
      await cron();
      expect(await readRun(runId)).toMatchObject({ status: 'waiting' });
      makeDue();
      await invocation();
      expect(await readRun(runId)).toMatchObject({ status: 'completed', output });
    }
  },
);

test('a cron event goes on with a run that was signalled by a process that works no queue', async () => {
  const { sqld, trigger, cron, readRun } = await startService();
  const runId = await trigger('approve');
  const dialect = remoteDialect({ url: sqld.url, fetch });
  const sender = createDurably({ dialect, worker: 'on-demand' });
  await sender.signal(runId, 'approval', { ok: false });
  expect(await readRun(runId)).toMatchObject({ status: 'pending' });
  await cron();
  expect(await readRun(runId)).toMatchObject({ status: 'completed', output: { ok: false } });
});

test('a request that cancels a run goes on with the run that waits for it', async () => {
  const { sqld, trigger, post, readRun } = await startService();
  const parent = await trigger('order');
  const [child] = sqld.query('select id from durably_runs where parent_run_id is not null');
  expect(await readRun(parent)).toMatchObject({
    status: 'waiting',
    waits: [{ kind: 'run', runId: child?.id }],
  });
  await post(`/cancel?runId=${child?.id}`);
  expect(await readRun(parent)).toMatchObject({ status: 'completed', output: 'not approved' });
});

test('a request that retries or retriggers a run goes on with it', async () => {
  const { trigger, post, readRun } = await startService();
  const runId = await trigger('approve');
  await post(`/cancel?runId=${runId}`);
  await post(`/retry?runId=${runId}`);
  expect(await readRun(runId)).toMatchObject({ status: 'waiting', waits: [{ kind: 'signal' }] });
  const { runId: again } = await post(`/retrigger?runId=${runId}`);
  expect(await readRun(again)).toMatchObject({ status: 'waiting', waits: [{ kind: 'signal' }] });
});

test('the work after a signal ends within its budget, and cron events go on with the run', async () => {
  const { trigger, signal, cron, readRun } = await startService();
  const steps = 2 * BUDGET;
  const runId = await trigger('approve', { steps });
  await signal(runId);
  const signalled = await readRun(runId);
  expect(signalled).toMatchObject({ status: 'pending', attempt: 1 });
  expect(signalled.stepCount).toBeGreaterThan(1);
  for (let events = 0; events < steps && (await readRun(runId)).status === 'pending'; events++) await cron();
  expect(await readRun(runId)).toMatchObject({ status: 'completed', attempt: 1, stepCount: steps + 1 });
});
