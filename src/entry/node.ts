import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { type Access, createAccess, fetchLoopback } from '../app/access.ts';
import { type Config, ConfigError, readConfig } from '../app/config.ts';
import { createDurablyApp } from '../app/create-app.ts';
import { type Database, DatabaseOpenError, isBusy, openDatabase } from '../app/database.ts';
import { DatabaseUnavailableError, DurablyError, errorMessage } from '../core/errors.ts';
import { createDurably } from '../create-durably.ts';
import { createJobs } from '../jobs/index.ts';

/** How often a draining server looks for connections that fell idle. */
const SWEEP_MS = 20;
/** How long streams have to tell of what happened last. */
const LAST_EVENTS_MS = 250;
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

function log(message: string): void {
  console.log(`durably: ${message}`);
}

function logError(context: string, error: unknown): void {
  console.error(`durably: ${context}:`, error);
}

async function start(): Promise<void> {
  const config = readConfig(process.env);
  const access = await createAccess(config);
  delete process.env.DURABLY_API_KEYS;
  if (access.allowedHosts === 'any') log('DURABLY_INSECURE=1: anyone who reaches this service may use it');
  const database = await openDatabase({
    url: config.TURSO_DATABASE_URL,
    authToken: config.TURSO_AUTH_TOKEN,
  });
  const durably = createInstance(config, database, access);
  await migrate(durably);
  await database.useWal();

  const draining = new AbortController();
  const closing = new AbortController();
  const app = createDurablyApp(durably, {
    basePath: config.DURABLY_BASE_PATH,
    maxBodyBytes: config.DURABLY_MAX_BODY_BYTES,
    ...access,
    draining: draining.signal,
    shutdown: closing.signal,
  });
  const server = createServer(getRequestListener(app.fetch, { hostname: config.HOST }));
  await listen(server, config);
  // Not before: with the port taken this process ends, and must not have taken runs along.
  durably.start();
  log(`listening on ${addressOf(server)} (API at ${config.DURABLY_BASE_PATH})`);

  onFirstSignal(async () => {
    // Until the runs are over requests are still answered: /readyz with 503, so that others are sent elsewhere.
    draining.abort();
    // A part of the time is kept for the runs' return, the streams and the requests still being answered.
    const reserveMs = Math.min(3000, config.DURABLY_SHUTDOWN_MS / 3);
    const timeoutMs = config.DURABLY_SHUTDOWN_MS - reserveMs;
    // A database that is locked does not take the runs back, and must not hold the rest up.
    await Promise.race([durably.stop({ timeoutMs }), pause(timeoutMs + reserveMs * 0.4)]);
    const closed = closeServer(server);
    // Streams may still be about to tell of the last runs' ends.
    await Promise.race([closed, pause(Math.min(LAST_EVENTS_MS, reserveMs * 0.1))]);
    closing.abort();
    await Promise.race([closed, pause(reserveMs * 0.2)]);
    server.closeAllConnections();
    await durably.db.destroy();
    database.close();
  }, config.DURABLY_SHUTDOWN_MS);
}

function createInstance(config: Config, { dialect }: Database, access: Access) {
  const durably = createDurably({
    dialect,
    pollingInterval: config.DURABLY_POLLING_INTERVAL_MS,
    heartbeatInterval: config.DURABLY_HEARTBEAT_INTERVAL_MS,
    staleThreshold: config.DURABLY_STALE_THRESHOLD_MS,
    maxConcurrentRuns: config.DURABLY_CONCURRENCY,
    jobs: createJobs({
      dataDir: config.DURABLY_DATA_DIR,
      fetchOrigins: config.DURABLY_FETCH_ORIGINS,
      fetchLoopback: fetchLoopback(access),
    }),
  });
  durably.on('worker:error', ({ context, error, runId }) => {
    logError(`worker failed at ${context}${runId === undefined ? '' : ` (${runId})`}`, error);
  });
  durably.onError((error) => logError('event listener', error));
  return durably;
}

/** Another process may hold the database's lock for long: that is waited for. */
async function migrate(durably: { migrate(): Promise<void> }): Promise<void> {
  for (;;) {
    try {
      return await durably.migrate();
    } catch (error) {
      if (!isBusy(error)) throw error;
      log('the database is locked by another process; waiting');
    }
  }
}

function listen(server: Server, { PORT, HOST }: { PORT: number; HOST: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(PORT, HOST, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Stops accepting; resolves when the last connection is gone. Idle ones are closed as they fall idle. */
function closeServer(server: Server): Promise<void> {
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  return new Promise((resolve) => {
    server.close(() => {
      clearInterval(sweep);
      resolve();
    });
  });
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** Drains and exits 0 on the first signal; a second one, or `withinMs` gone by, exits at once. */
function onFirstSignal(drain: () => Promise<void>, withinMs: number): void {
  let isDraining = false;
  const exitLate = () => {
    console.error(`durably: not drained within ${withinMs} ms`);
    process.exit(1);
  };
  for (const [signal, exitCode] of Object.entries(EXIT_CODES)) {
    process.on(signal, () => {
      if (isDraining) process.exit(exitCode);
      isDraining = true;
      log(`${signal}: draining`);
      setTimeout(exitLate, withinMs);
      drain().then(
        () => {
          log('stopped');
          process.exit(0);
        },
        (error: unknown) => {
          logError('draining failed', error);
          process.exit(1);
        },
      );
    });
  }
}

/** `fetch failed` says nothing: what it was caused by does. */
function rootMessage(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? rootMessage(error.cause) : errorMessage(error);
}

/** One line for what the operator can mend; all there is for what only we can. */
function reportFailedStart(error: unknown): void {
  const isOperators =
    error instanceof ConfigError ||
    error instanceof DatabaseOpenError ||
    error instanceof DurablyError ||
    (error instanceof Error && 'syscall' in error);
  if (isOperators) {
    const cause = error instanceof DatabaseUnavailableError ? ` (${rootMessage(error.cause)})` : '';
    console.error(`durably: cannot start: ${error.message}${cause}`);
  } else {
    console.error('durably: cannot start:', error);
  }
}

// A job that forgets to await a promise must not take the other runs down with it.
process.on('unhandledRejection', (error) => logError('unhandled rejection', error));

try {
  await start();
} catch (error) {
  reportFailedStart(error);
  process.exit(1);
}
