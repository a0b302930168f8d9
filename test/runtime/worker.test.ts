import { afterAll, beforeAll, expect, test } from 'vitest';
import { BASE } from '../http/doors.ts';
import { until } from '../support/until.ts';
import { startToldWorker, type ToldWorker } from './support/told-worker.ts';

// The deployed Worker: the entry that wrangler.toml names.

let worker: ToldWorker;

beforeAll(async () => {
  worker = await startToldWorker({
    vars: {
      TURSO_AUTH_TOKEN: 'token',
      DURABLY_POLLING_INTERVAL_MS: '50',
      DURABLY_SUBREQUESTS: '100000',
      // A setting that means nothing to a Worker.
      PORT: 'none',
    },
  });
}, 90_000);

afterAll(() => worker?.stop());

test('fetch-url runs after its trigger was answered, and its stream shows the end', async () => {
  const body = JSON.stringify({ jobName: 'fetch-url', input: { url: `${worker.told.url}/a` } });
  const { runId } = await (await fetch(`${worker.dev.url}${BASE}/trigger`, { method: 'POST', body })).json();
  const stream = await (await fetch(`${worker.dev.url}${BASE}/subscribe?runId=${runId}`)).text();
  expect(stream).toContain('"type":"run:complete"');
  const run = await (await fetch(`${worker.dev.url}${BASE}/run?runId=${runId}`)).json();
  expect(run).toMatchObject({ status: 'completed', output: { status: 200, bytes: 5, tries: 1 } });
  expect(worker.told.told).toContain('/a');
  const ticked = await fetch(`${worker.dev.url}${BASE}/tick?timeoutMs=1000`, { method: 'POST' });
  expect([ticked.status, await ticked.json()]).toEqual([200, { processed: 0 }]);
});

test('an idle cron event sends one request', async () => {
  await (await fetch(`${worker.dev.url}/readyz`)).text();
  const before = worker.sqld.requests;
  expect((await worker.dev.cron()).status).toBe(200);
  expect(worker.sqld.requests - before).toBe(1);
});

test('a stream whose reader has gone stops reading the database', async () => {
  const reader = new AbortController();
  const stream = await fetch(`${worker.dev.url}${BASE}/runs/subscribe`, { signal: reader.signal });
  await stream.body?.getReader().read();
  const opened = worker.sqld.requests;
  await until(() => worker.sqld.requests > opened + 2, 'the stream to poll');
  reader.abort();
  await until(async () => {
    const before = worker.sqld.requests;
    for (let polls = 0; polls < 20; polls++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (worker.sqld.requests > before) return false;
    }
    return true;
  }, 'the polls to stop');
});

test('serves its own description, and refuses a foreign host', async () => {
  expect((await fetch(`${worker.dev.url}/openapi.json`)).status).toBe(200);
  const foreign = await fetch(`${worker.dev.url}${BASE}/runs`, {
    headers: { origin: 'https://evil.example' },
  });
  expect(foreign.status).toBe(403);
});
