import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import Database from 'libsql';
import type { OpenOptions } from '../contenders/contender.ts';
import { makeWalFile } from '../contenders/fresh.ts';
import { type ContenderName, loadContender } from '../contenders/index.ts';
import type { EventTimes, Served, ServeRequest } from '../protocol.ts';
import { eventKey } from './streams.ts';

const BASE_PATH = '/api/durably';
/** The default of the service. */
const CONCURRENCY = 10;

interface Service {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  stop(): Promise<void>;
}

/** When the listeners of this process received each event. They receive it after its commit. */
let emitted: Record<string, number> = {};

let server: Server | undefined;
let service: Service | undefined;

/** Serves a contender's HTTP interface from this process. Returns the address of its routes. */
export async function serve({ contender, worker, ...place }: ServeRequest): Promise<string> {
  if (place.url === undefined && !existsSync(place.file)) makeWalFile(place.file);
  emitted = {};
  service = await openers[contender]({ ...place, concurrency: CONCURRENCY }, worker);
  server = createServer(getRequestListener(service.fetch));
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${BASE_PATH}`;
}

export async function stopServing(): Promise<void> {
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
  await service?.stop();
}

export async function readEmitted(): Promise<EventTimes> {
  return emitted;
}

/** Reads the file with another connection. */
export async function storedRuns({ contender, file }: { contender: ContenderName; file: string }) {
  const { allRuns, completedRuns } = await loadContender(contender);
  const database = new Database(file);
  const count = (sql: string) => Number(Object.values(database.prepare(sql).get() as object)[0]);
  const stored = { all: count(allRuns), completed: count(completedRuns) };
  database.close();
  return stored;
}

/** This process's memory after a garbage collection. */
export async function memoryKb(): Promise<number> {
  globalThis.gc?.();
  return process.memoryUsage.rss() / 1024;
}

/** The peak memory of this process. */
export async function peakMemoryKb(): Promise<number> {
  return process.resourceUsage().maxRSS;
}

type Opener = (options: OpenOptions, worker: 'on' | 'off') => Promise<Service>;

const openers: Readonly<Record<Served, Opener>> = {
  bare: async () => {
    const app = new Hono().basePath(BASE_PATH);
    app.post('/trigger', async (c) => {
      const { jobName } = await c.req.json();
      return c.json({ runId: `run of ${jobName}` });
    });
    app.get('/runs', (c) => c.json({ limit: c.req.query('limit') }));
    return { fetch: app.fetch, stop: async () => undefined };
  },
  durably: (options, worker) => openDurably('documented', options, worker),
  'durably-service': (options, worker) => openDurably('service', options, worker),
  coji: async (options, worker) => {
    const { createInstance } = await import('../contenders/coji.ts');
    const { createDurablyHandler } = await import('@coji/durably');
    const { durably, close } = await createInstance(options);
    noteEvents(durably);
    const handler = createDurablyHandler(durably);
    const app = new Hono();
    app.all(`${BASE_PATH}/*`, (c) => handler.handle(c.req.raw, BASE_PATH));
    if (worker === 'on') durably.start();
    return {
      fetch: app.fetch,
      stop: () => stopInstance(durably, close),
    };
  },
};

async function openDurably(
  variant: 'documented' | 'service',
  options: OpenOptions,
  worker: 'on' | 'off',
): Promise<Service> {
  const { createInstance, openers: databases } = await import('../contenders/durably.ts');
  const { createDurablyApp } = await import('../repository.ts');
  const { durably, close } = await createInstance(databases[variant], options);
  noteEvents(durably);
  const app = createDurablyApp(durably, { basePath: BASE_PATH, allowedHosts: ['127.0.0.1'] });
  if (worker === 'on') durably.start();
  return {
    fetch: app.fetch,
    stop: () => stopInstance(durably, close),
  };
}

async function stopInstance(
  durably: { stop(): Promise<void>; readonly db: { destroy(): Promise<void> } },
  close: () => void,
): Promise<void> {
  await durably.stop();
  await durably.db.destroy();
  close();
}

function noteEvents(durably: {
  on(type: 'run:trigger' | 'run:complete', listener: (event: { readonly runId: string }) => void): unknown;
}): void {
  for (const type of ['run:trigger', 'run:complete'] as const) {
    durably.on(type, ({ runId }) => {
      emitted[eventKey(type, runId)] = Date.now();
    });
  }
}
