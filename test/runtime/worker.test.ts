import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BASE } from '../http/doors.ts';
import { Sqld } from '../support/sqld/server.ts';
import { until } from '../support/until.ts';
import { startToldServer, type ToldServer } from './support/told-server.ts';
import { startWranglerDev, type WranglerDev } from './support/wrangler.ts';

// The deployed Worker: the entry that wrangler.toml names.

let folder: string;
let sqld: Sqld;
let told: ToldServer;
let dev: WranglerDev;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'durably-runtime-'));
  sqld = await Sqld.start({ file: join(folder, 'test.db'), authToken: 'token' });
  told = await startToldServer({ isOpen: true });
  dev = await startWranglerDev({
    vars: {
      TURSO_DATABASE_URL: sqld.url,
      TURSO_AUTH_TOKEN: 'token',
      DURABLY_POLLING_INTERVAL_MS: '50',
      DURABLY_SUBREQUESTS: '100000',
      // A setting that means nothing to a Worker.
      PORT: 'none',
    },
  });
}, 90_000);

afterAll(async () => {
  await dev?.stop();
  await told?.stop();
  await sqld?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('fetch-url runs after its trigger was answered, and its stream shows the end', async () => {
  const body = JSON.stringify({ jobName: 'fetch-url', input: { url: `${told.url}/a` } });
  const { runId } = await (await fetch(`${dev.url}${BASE}/trigger`, { method: 'POST', body })).json();
  const stream = await (await fetch(`${dev.url}${BASE}/subscribe?runId=${runId}`)).text();
  expect(stream).toContain('"type":"run:complete"');
  const run = await (await fetch(`${dev.url}${BASE}/run?runId=${runId}`)).json();
  expect(run).toMatchObject({ status: 'completed', output: { status: 200, bytes: 5, tries: 1 } });
  expect(told.told).toContain('/a');
  const ticked = await fetch(`${dev.url}${BASE}/tick?timeoutMs=1000`, { method: 'POST' });
  expect([ticked.status, await ticked.json()]).toEqual([200, { processed: 0 }]);
});

test('an idle cron event sends one request', async () => {
  await (await fetch(`${dev.url}/readyz`)).text();
  const before = sqld.requests;
  expect((await dev.cron()).status).toBe(200);
  expect(sqld.requests - before).toBe(1);
});

test('a stream whose reader has gone stops reading the database', async () => {
  const reader = new AbortController();
  const stream = await fetch(`${dev.url}${BASE}/runs/subscribe`, { signal: reader.signal });
  await stream.body?.getReader().read();
  const opened = sqld.requests;
  await until(() => sqld.requests > opened + 2, 'the stream to poll');
  reader.abort();
  await until(async () => {
    const before = sqld.requests;
    for (let polls = 0; polls < 20; polls++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (sqld.requests > before) return false;
    }
    return true;
  }, 'the polls to stop');
});

test('serves its own description, and refuses a foreign host', async () => {
  expect((await fetch(`${dev.url}/openapi.json`)).status).toBe(200);
  const foreign = await fetch(`${dev.url}${BASE}/runs`, { headers: { origin: 'https://evil.example' } });
  expect(foreign.status).toBe(403);
});
