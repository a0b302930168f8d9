import { stat } from 'node:fs/promises';
import type { Server } from 'node:http';
import { type Access, createAccess } from '../../app/access.ts';
import { type Config, describeUnknownNodeSettings, readConfig } from '../../app/config.ts';
import { createDurablyApp, DASHBOARD_MODES } from '../../app/create-app.ts';
import { type Database, isBusy, openServiceDatabase } from '../../app/database.ts';
import type { Webhooks } from '../../core/webhooks/webhooks.ts';
import type { Durably } from '../../create-durably.ts';
import { createMetrics } from '../../plugins/metrics/metrics.ts';
import { reachServer } from './ask-database.ts';
import { createInstance, type GivenJobs } from './instance.ts';
import { log } from './log.ts';
import { addressOf, checkAddress, createHttpServer, listen } from './server.ts';
import { explainFailedStart } from './start-failure.ts';
import { loadTraces, type Traces } from './traces.ts';
import { readWebhooks } from './webhooks.ts';

/** The parts of the running service that its shutdown needs. */
export interface RunningService {
  readonly config: Config;
  readonly database: Database;
  readonly durably: Pick<Durably, 'stop' | 'countRunning' | 'db'>;
  readonly server: Server;
  readonly traces: Pick<Traces, 'flush'>;
  /** Aborted when the service begins to drain. */
  readonly draining: AbortController;
  /** Aborted when event streams must end. */
  readonly closing: AbortController;
}

/**
 * Starts the service with the settings of the process's environment. Resolves when it listens and its worker runs.
 *
 * @param jobs what it executes in place of the service's own jobs.
 */
export async function startService(jobs?: GivenJobs): Promise<RunningService> {
  const unknown = describeUnknownNodeSettings(process.env);
  if (unknown !== undefined) log.warn(unknown);
  const config = readConfig(process.env);
  const access = await createAccess(config);
  const webhooks = readWebhooks(config);
  for (const secret of [
    'DURABLY_API_KEYS',
    'DURABLY_ENCRYPTION_KEYS',
    'DURABLY_WEBHOOKS',
    'DURABLY_WEBHOOK_RUN_SECRET',
  ]) {
    delete process.env[secret];
  }
  if (config.TURSO_DATABASE_URL === ':memory:') {
    log.warn('TURSO_DATABASE_URL=:memory: keeps nothing: all runs are lost when the service ends');
  }
  if (process.env.DURABLY_DATA_DIR && jobs === undefined) await checkDataDir(config);
  try {
    return await startWith(config, { access, jobs, webhooks });
  } catch (error) {
    throw explainFailedStart(error, config);
  }
}

/** Warns about a missing folder: it may be created later, or its name may be misspelled. */
async function checkDataDir({ DURABLY_DATA_DIR: folder }: Config): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory()) return;
  const fault = found === undefined ? 'there is no such folder' : 'it is no folder';
  log.warn(`DURABLY_DATA_DIR=${folder}: ${fault}; import-csv finds no files until there is one`);
}

async function startWith(
  config: Config,
  {
    access,
    jobs,
    webhooks,
  }: { readonly access: Access; readonly jobs: GivenJobs | undefined; readonly webhooks: Webhooks },
): Promise<RunningService> {
  if (access.allowedHosts === 'any')
    log.info('DURABLY_INSECURE=1: anyone who reaches this service may use it');
  // If the port is taken, another instance may be using the same database, so leave the database alone.
  await checkAddress(config);
  const traces = await loadTraces(config);
  const database = await openServiceDatabase({
    url: config.TURSO_DATABASE_URL,
    authToken: config.TURSO_AUTH_TOKEN,
  });
  const metrics = config.DURABLY_METRICS === 'on' ? createMetrics() : undefined;
  const durably = createInstance(config, database, { access, jobs, metrics, webhooks, use: traces.use });
  await reachServer(durably.db, config);
  await migrate(durably);

  const draining = new AbortController();
  const closing = new AbortController();
  const app = createDurablyApp(durably, {
    basePath: config.DURABLY_BASE_PATH,
    maxBodyBytes: config.DURABLY_MAX_BODY_BYTES,
    dashboard: DASHBOARD_MODES[config.DURABLY_DASHBOARD],
    ...access,
    logger: log,
    metrics,
    draining: draining.signal,
    shutdown: closing.signal,
  });
  const server = createHttpServer(traces.around(app.fetch), {
    hostname: config.HOST,
    keepAliveMs: config.DURABLY_KEEP_ALIVE_MS,
    draining: draining.signal,
  });
  await listen(server, config);
  // The worker starts after listening has succeeded. A process that exits because the port is taken must not have
  // claimed runs.
  durably.start();
  log.info(`listening on ${addressOf(server)} (API at ${config.DURABLY_BASE_PATH})`);
  return { config, database, durably, server, traces, draining, closing };
}

/** Waits as long as another process holds the database's lock. */
export async function migrate(durably: { migrate(): Promise<void> }): Promise<void> {
  for (;;) {
    try {
      return await durably.migrate();
    } catch (error) {
      if (!isBusy(error)) throw error;
      log.info('the database is locked by another process; waiting');
    }
  }
}
