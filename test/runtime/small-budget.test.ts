import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDurably } from '../../src/create-durably.ts';
import { remoteDialect } from '../../src/entry/edge/database.ts';
import { BASE } from '../http/doors.ts';
import { quiet } from '../support/remote.ts';
import { until } from '../support/until.ts';
import { startToldWorker, type ToldWorker } from './support/told-worker.ts';

/** The smallest budget of one run at once: its work ends after 10 requests, a stream after 6. */
const BUDGET = 16;
const STEPS = 14;

/** One for all tests of this file, because starting one takes seconds. */
let worker: ToldWorker;

beforeAll(async () => {
  worker = await startToldWorker({
    entry: 'test/runtime/worker.ts',
    vars: {
      DURABLY_SUBREQUESTS: `${BUDGET}`,
      DURABLY_CONCURRENCY: '1',
      DURABLY_POLLING_INTERVAL_MS: '50',
    },
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

async function getJson(path: string) {
  return await (await fetch(`${worker.dev.url}${path}`)).json();
}

/** Behaves like an EventSource: it reconnects with the id of the last event until it is told not to. */
async function followToEnd(runId: string, { onStreamEnd }: { onStreamEnd: () => void }) {
  const ids: string[] = [];
  const types: string[] = [];
  for (;;) {
    const response = await fetch(`${worker.dev.url}${BASE}/subscribe?runId=${runId}`, {
      headers: { 'last-event-id': ids.at(-1) ?? '' },
    });
    if (response.status === 204) return { ids, types };
    expect(response.status).toBe(200);
    const text = await response.text();
    for (const [, id = '', data = '{}'] of text.matchAll(/^id: (\d+)\ndata: (.*)$/gm)) {
      ids.push(id);
      types.push(JSON.parse(data).type);
    }
    onStreamEnd();
  }
}

test('a run completes over several cron events, each step once, while its streams end earlier and resume', async () => {
  expect(await getJson('/readyz')).toMatchObject({ status: 'ready', database: true, worker: true });
  const triggered = await fetch(`${worker.dev.url}${BASE}/trigger`, {
    method: 'POST',
    body: JSON.stringify({ jobName: 'told', input: { url: worker.told.url, steps: STEPS } }),
  });
  const { runId } = await triggered.json();
  let endedStreams = 0;
  const following = followToEnd(runId, { onStreamEnd: () => endedStreams++ });
  const readRun = () => getJson(`${BASE}/run?runId=${runId}`);

  // The request's own work ends within its budget, at a step, and leaves the run for the next.
  const handedBack = await until(async () => {
    const run = await readRun();
    return run.attempt === 1 && run.status === 'pending' && run.stepCount > 0 ? run : null;
  }, 'the run to be handed back');
  expect(handedBack.stepCount).toBeLessThan(STEPS);
  expect(worker.told.told).toHaveLength(handedBack.stepCount);

  // Nothing is working now. The stream ends because its requests are used up, and the run stays unfinished.
  await until(() => endedStreams > 0, 'the stream to end itself');

  let stepCount = handedBack.stepCount;
  for (;;) {
    expect((await worker.dev.cron()).status).toBe(200);
    const run = await readRun();
    expect(run.attempt).toBe(1);
    if (run.status === 'completed') break;
    expect(run.status).toBe('pending');
    expect(run.stepCount).toBeGreaterThan(stepCount);
    stepCount = run.stepCount;
  }

  expect(await readRun()).toMatchObject({ status: 'completed', output: STEPS, stepCount: STEPS });
  expect(worker.told.told).toEqual(Array.from({ length: STEPS }, (_, i) => `/step-${i}`));

  const { ids, types } = await following;
  expect(ids.map(Number)).toEqual([...new Set(ids.map(Number))].sort((a, b) => a - b));
  const whole = worker.sqld.query(
    `select type from durably_journal where run_id = '${runId}' order by sequence`,
  );
  expect(types).toEqual(whole.map(({ type }) => type));
  expect(types.filter((type) => type === 'step:complete')).toHaveLength(STEPS);
  expect(types.at(-1)).toBe('run:complete');
});

test('no invocation sends more requests than allowed', async () => {
  await (await fetch(`${worker.dev.url}${BASE}/runs`)).text();
  const body = JSON.stringify({ jobName: 'told', input: { url: worker.told.url, steps: STEPS } });
  const { runId } = await (await fetch(`${worker.dev.url}${BASE}/trigger`, { method: 'POST', body })).json();
  const readRun = () => getJson(`${BASE}/run?runId=${runId}`);
  await until(async () => (await readRun()).status === 'pending' && (await readRun()).stepCount > 0);
  const beforeCron = worker.sqld.requests;
  await worker.dev.cron();
  expect(worker.sqld.requests - beforeCron).toBeLessThanOrEqual(BUDGET);

  const beforeStream = worker.sqld.requests;
  await (await fetch(`${worker.dev.url}${BASE}/runs/subscribe`)).text();
  expect(worker.sqld.requests - beforeStream).toBeLessThanOrEqual(BUDGET);
});
