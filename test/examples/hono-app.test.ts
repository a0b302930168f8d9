import { expect, test, vi } from 'vitest';
import { runReadme, startExample, temporaryFolder } from './example.ts';

vi.setConfig({ testTimeout: 120_000 });

const ada = { authorization: 'Bearer ada-token' };

async function requestReport(url: string): Promise<string> {
  const body = JSON.stringify({ year: 2026 });
  const response = await fetch(`${url}/reports`, { method: 'POST', headers: ada, body });
  expect(response.status).toBe(202);
  const { id } = await response.json();
  return id;
}

test('the Hono app answers as its README shows', async () => {
  const { url } = await startExample('hono-app', { data: temporaryFolder() });
  expect(await runReadme('hono-app', url)).toBe(7);
});

test("the Hono app refuses strangers, other users' runs and bad reports", async () => {
  const { url } = await startExample('hono-app', { data: temporaryFolder() });
  const id = await requestReport(url);
  const statusOf = async (path: string, init?: RequestInit) => (await fetch(`${url}${path}`, init)).status;
  const bob = { authorization: 'Bearer bob-token' };
  expect(await statusOf(`/reports/run?runId=${id}`, { headers: ada })).toBe(200);
  expect(await statusOf(`/reports/run?runId=${id}`, { headers: bob })).toBe(404);
  expect(await statusOf(`/reports/events?runId=${id}`, { headers: bob })).toBe(404);
  expect(await statusOf(`/reports/cancel?runId=${id}`, { headers: bob, method: 'POST' })).toBe(404);
  expect(await statusOf('/reports', { method: 'POST', body: '{"year": 2026}' })).toBe(401);
  expect(await statusOf('/reports', { method: 'POST', headers: ada, body: '{}' })).toBe(400);
  expect(await statusOf('/admin/api/durably/runs', { headers: ada })).toBe(401);
});

test('SIGTERM ends the open streams of the Hono app, and its process', async () => {
  const example = await startExample('hono-app', { data: temporaryFolder() });
  const headers = { authorization: 'Bearer admin-key-for-development' };
  const stream = await fetch(`${example.url}/admin/api/durably/runs/subscribe`, { headers });
  await requestReport(example.url);
  const ended = example.end('SIGTERM');
  await stream.text();
  expect(await ended).toEqual([0, null]);
  expect(example.output()).toContain('stopped');
});
