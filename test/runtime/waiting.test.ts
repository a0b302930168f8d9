import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDurably } from '../../src/create-durably.ts';
import { remoteDialect } from '../../src/entry/edge/database.ts';
import { BASE } from '../http/doors.ts';
import { quiet } from '../support/remote.ts';
import { until } from '../support/until.ts';
import { startToldWorker, type ToldWorker } from './support/told-worker.ts';

/** The smallest budget of one run at once: its work ends after 10 requests. */
const BUDGET = 16;

let worker: ToldWorker;

beforeAll(async () => {
  worker = await startToldWorker({
    entry: 'test/runtime/worker.ts',
    vars: { DURABLY_SUBREQUESTS: `${BUDGET}`, DURABLY_CONCURRENCY: '1' },
  });
}, 90_000);

afterAll(() => worker?.stop());

async function post(path: string, body?: object) {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  return await (await fetch(`${worker.dev.url}${BASE}${path}`, { method: 'POST', ...init })).json();
}

/** The run, once it has that status. Read from the database: a request to the Worker would count as one of its own. */
function runWith(status: string, runId: string) {
  return until(() => {
    const [run] = worker.sqld.query(`select * from durably_runs where id = '${runId}'`);
    return run?.status === status ? run : undefined;
  }, `${runId} to be ${status}`);
}

async function triggerToWait(jobName: string): Promise<string> {
  const { runId } = await post('/trigger', { jobName, input: {} });
  await runWith('waiting', runId);
  // What the request still does must not be what goes on with the run.
  await quiet(worker.sqld);
  return runId;
}

/** The run's time has come. */
function makeDue(runId: string): void {
  worker.sqld.query(`update durably_steps set due_at = 1 where run_id = '${runId}'`);
  worker.sqld.query(`update durably_runs set due_at = 1 where id = '${runId}'`);
}

const signal = (runId: string) => post(`/signal?runId=${runId}`, { name: 'approval', payload: { ok: true } });

/** A process that knows no jobs sends the signal. */
async function signalFromElsewhere(runId: string): Promise<void> {
  const sender = createDurably({
    dialect: remoteDialect({ url: worker.sqld.url, fetch }),
    worker: 'on-demand',
  });
  await sender.signal(runId, 'approval', { ok: true });
}

const jobs = [
  ['rest', '"rested"', makeDue],
  ['flaky-step', '"lucky"', makeDue],
  ['flaky-job', '"lucky"', makeDue],
  ['approve', '{"ok":true}', signalFromElsewhere],
] as const;

test.each(jobs)(
  'a cron event goes on with a waiting run of %s, within its budget',
  async (jobName, output, wake) => {
    const runId = await triggerToWait(jobName);
    await wake(runId);
    const before = worker.sqld.requests;
    expect((await worker.dev.cron()).status).toBe(200);
    expect(worker.sqld.requests - before).toBeLessThanOrEqual(BUDGET);
    expect(await runWith('completed', runId)).toMatchObject({ output });
  },
);

test.each(jobs.slice(0, 3))(
  'a request that signals another run goes on with a waiting run of %s',
  async (jobName, output, wake) => {
    const signalled = await triggerToWait('approve');
    const runId = await triggerToWait(jobName);
    await wake(runId);
    expect(await signal(signalled)).toEqual({ disposition: 'accepted' });
    expect(await runWith('completed', runId)).toMatchObject({ output });
    await runWith('completed', signalled);
  },
);

test('a request that signals a run goes on with it', async () => {
  const runId = await triggerToWait('approve');
  expect(await signal(runId)).toEqual({ disposition: 'accepted' });
  expect(await runWith('completed', runId)).toMatchObject({ output: '{"ok":true}' });
});

test('a request that cancels a run goes on with the run that waits for it', async () => {
  const runId = await triggerToWait('order');
  const [child] = worker.sqld.query(`select id from durably_runs where parent_run_id = '${runId}'`);
  await post(`/cancel?runId=${child?.id}`);
  expect(await runWith('completed', runId)).toMatchObject({ output: '"not approved"' });
});
