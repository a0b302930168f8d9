import { mkdirSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { createDurablyClient } from '../../src/client/create-client.ts';
import type { JournalEvent } from '../../src/core/events.ts';
import { temporaryFolder } from '../app/temporary.ts';
import { freePort } from '../support/net/free-port.ts';
import { type SpawnedService, spawnService } from '../support/processes/spawn-service.ts';
import { until } from '../support/until.ts';
import { collect } from './service.ts';

const AIRPORTS = join(import.meta.dirname, '../../data/airports.csv');

/** Starts services on one database, each on a port that it keeps. */
async function startingServices() {
  const folder = await temporaryFolder();
  mkdirSync(join(folder, 'data'));
  await copyFile(AIRPORTS, join(folder, 'data/airports.csv'));
  return async (port: number): Promise<SpawnedService> => {
    const service = spawnService({
      TURSO_DATABASE_URL: pathToFileURL(join(folder, 'durably.db')).href,
      DURABLY_DATA_DIR: join(folder, 'data'),
      DURABLY_HEARTBEAT_INTERVAL_MS: '100',
      DURABLY_STALE_THRESHOLD_MS: '500',
      DURABLY_POLLING_INTERVAL_MS: '50',
      PORT: String(port),
    });
    await service.listening();
    return service;
  };
}

const urlAt = (port: number) => `http://127.0.0.1:${port}/api/durably`;
/** 34 steps. */
const INPUT = { file: 'airports.csv', batchSize: 100, pauseMs: 20 };

it('a stream and a wait go on when the service is killed and started again', async () => {
  const start = await startingServices();
  const port = await freePort();
  const first = await start(port);
  const client = createDurablyClient({ url: urlAt(port) });
  const { runId } = await client.trigger('import-csv', INPUT);
  const seen: JournalEvent[] = [];
  const states: string[] = [];
  const following = (async () => {
    const onConnection = ({ kind }: { readonly kind: string }) => void states.push(kind);
    for await (const event of client.run(runId).events({ onConnection })) seen.push(event);
  })();
  const waiting = client.run(runId).wait();
  await until(() => seen.filter(({ type }) => type === 'step:complete').length >= 3, 'three steps');
  first.process.kill('SIGKILL');
  await first.exit;
  await start(port);
  await following;
  expect(await waiting).toMatchObject({ status: 'completed', output: { rows: 3376 } });
  expect(states.slice(0, 2)).toEqual(['open', 'lost']);
  expect(states.at(-1)).toBe('open');
  const stored = await collect(client.run(runId).events());
  expect(seen).toEqual(stored);
  expect(stored.filter(({ type }) => type === 'run:start').length).toBeGreaterThan(1);
});

it('a stream goes on with another instance', async () => {
  const start = await startingServices();
  const ports = [await freePort(), await freePort()] as const;
  const services = [await start(ports[0]), await start(ports[1])] as const;
  let reached = 0;
  const client = createDurablyClient({
    url: urlAt(ports[0]),
    // What a load balancer does.
    fetch: (url, init) => fetch(url.replace(`:${ports[0]}`, `:${ports[reached]}`), init),
  });
  const { runId } = await client.trigger('import-csv', INPUT);
  const seen: JournalEvent[] = [];
  for await (const event of client.run(runId).events()) {
    seen.push(event);
    if (seen.length !== 8) continue;
    reached = 1;
    services[0].process.kill('SIGKILL');
  }
  expect(seen).toEqual(await collect(client.run(runId).events()));
  expect(seen.at(-1)).toMatchObject({ type: 'run:complete' });
});
