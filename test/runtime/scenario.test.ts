import { afterAll, beforeAll, expect, test } from 'vitest';
import { BASE } from '../http/doors.ts';
import { until } from '../support/until.ts';
import { startToldWorker, type ToldWorker } from './support/told-worker.ts';

const STEPS = 14;

let worker: ToldWorker;

beforeAll(async () => {
  worker = await startToldWorker({
    entry: 'test/runtime/worker.ts',
    // The smallest budget allowed: work ends after 10 requests, a stream after 6.
    vars: {
      DURABLY_SUBREQUESTS: '16',
      DURABLY_CONCURRENCY: '1',
      DURABLY_POLLING_INTERVAL_MS: '50',
    },
  });
}, 90_000);

afterAll(() => worker?.stop());

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
  const whole = worker.sqld.query('select type from durably_journal order by sequence');
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
  expect(worker.sqld.requests - beforeCron).toBeLessThanOrEqual(16);

  const beforeStream = worker.sqld.requests;
  await (await fetch(`${worker.dev.url}${BASE}/runs/subscribe`)).text();
  expect(worker.sqld.requests - beforeStream).toBeLessThanOrEqual(16);
});
