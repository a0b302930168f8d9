/**
 * npm run demo: an import that survives a SIGKILL. It starts the service on a temporary database, kills it half
 * way, starts it again, and proves that no step ran twice. Exits non-zero if the proof fails.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ProgressBar } from './progress-bar.ts';
import { findContradictions } from './proof.ts';
import { followRun, type RunEvent } from './run-stream.ts';
import { ServiceProcess } from './service.ts';

const INPUT = { file: 'airports.csv', batchSize: 100, pauseMs: 100 };
const TIME_LIMIT_MS = 120_000;

const folder = mkdtempSync(join(tmpdir(), 'durably-demo-'));
const service = await ServiceProcess.create({
  TURSO_DATABASE_URL: `file:${join(folder, 'durably.db')}`,
  DURABLY_DATA_DIR: join(folder, 'data'),
  DURABLY_BASE_PATH: '/api/durably',
  // Detects a lost worker sooner than the default.
  DURABLY_STALE_THRESHOLD_MS: '2000',
  DURABLY_HEARTBEAT_INTERVAL_MS: '500',
  DURABLY_POLLING_INTERVAL_MS: '200',
});
const api = `${service.url}/api/durably`;
const bar = new ProgressBar();
const signal = AbortSignal.timeout(TIME_LIMIT_MS);

async function main(): Promise<void> {
  mkdirSync(join(folder, 'data'));
  cpSync('data/airports.csv', join(folder, 'data', 'airports.csv'));
  bar.say(`started the service as process ${await service.start()}: ${service.url}`);

  const runId = await trigger();
  bar.say(`triggered import-csv on 3,376 airports: ${runId}`);

  const seen: RunEvent[] = [];
  const lastEventId = await followUntilHalf(runId, seen);
  await service.kill();
  const stored = seen.filter(({ type }) => type === 'step:complete').length;
  bar.say(`killed it with SIGKILL; ${stored} steps were seen to complete`);

  bar.say(
    `started it again as process ${await service.start()}; reconnecting with Last-Event-ID ${lastEventId}`,
  );
  await followToEnd(runId, { lastEventId, seen });
  await prove(runId, seen);
}

async function trigger(): Promise<string> {
  const body = JSON.stringify({ jobName: 'import-csv', input: INPUT });
  const answer = await request(`${api}/trigger`, { method: 'POST', body });
  return z.object({ runId: z.string() }).parse(answer).runId;
}

/** Adds the events to `seen` and returns the id of the last one. */
async function followUntilHalf(runId: string, seen: RunEvent[]): Promise<string> {
  for await (const { id, event } of followRun(`${api}/subscribe?runId=${runId}`, { signal })) {
    seen.push(event);
    show(event);
    const { current = 0, total = 0 } = event.progress ?? {};
    if (total > 0 && current >= total / 2) return id;
  }
  throw new Error('the run ended before it was half way');
}

async function followToEnd(runId: string, from: { lastEventId: string; seen: RunEvent[] }): Promise<void> {
  const stream = followRun(`${api}/subscribe?runId=${runId}`, { lastEventId: from.lastEventId, signal });
  for await (const { event } of stream) {
    from.seen.push(event);
    show(event);
  }
  const last = from.seen.at(-1);
  if (last?.type !== 'run:complete')
    throw new Error(`the last event was ${last?.type}: ${last?.error ?? ''}`);
}

function show(event: RunEvent): void {
  if (event.progress?.total !== undefined) bar.draw(event.progress.current, event.progress.total);
  if (event.type === 'run:start' && event.attempt !== 1) bar.say(`taken over as attempt ${event.attempt}`);
  if (event.type === 'run:complete') bar.say(`run:complete: ${JSON.stringify(event.output)}`);
}

async function prove(runId: string, seen: readonly RunEvent[]): Promise<void> {
  const replayed: RunEvent[] = [];
  for await (const { event } of followRun(`${api}/subscribe?runId=${runId}`, { signal }))
    replayed.push(event);
  const steps = z.array(z.object({ name: z.string() })).parse(await request(`${api}/steps?runId=${runId}`));
  const expectedSteps = 1 + Math.ceil(3376 / INPUT.batchSize);
  const stepNames = steps.map(({ name }) => name);
  const contradictions = findContradictions({ seen, replayed, stepNames, expectedSteps });
  if (contradictions.length > 0) throw new Error(`the proof failed:\n  ${contradictions.join('\n  ')}`);
  bar.say(`proved: ${expectedSteps} steps, each completed exactly once, none started again after that;`);
  bar.say(`        ${replayed.length} events, each seen exactly once over both connections`);
}

async function request(url: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(url, { ...init, signal });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

async function cleanUp(): Promise<void> {
  await service.kill();
  rmSync(folder, { recursive: true, force: true });
}

process.once('SIGINT', () => void cleanUp().finally(() => process.exit(130)));
process.once('SIGTERM', () => void cleanUp().finally(() => process.exit(143)));
try {
  await main();
} catch (error) {
  bar.say(`failed: ${error instanceof Error ? error.message : error}`);
  if (service.log !== '') console.error(`\nthe service said:\n${service.log}`);
  process.exitCode = 1;
} finally {
  await cleanUp();
}
