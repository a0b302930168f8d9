import { createAccess } from '../../app/access.ts';
import { ConfigError } from '../../app/config.ts';
import { createDurablyApp, DASHBOARD_MODES } from '../../app/create-app.ts';
import { problemResponse } from '../../http/problem.ts';
import { createConsoleLog } from '../log/console-log.ts';
import { describeUnknownBindings, type EdgeConfig, readEdgeConfig } from './config.ts';
import {
  type Context,
  type CreateJobs,
  createInvocation,
  type Invocation,
  type Settings,
} from './invocation.ts';

/** A Worker notices only when it writes that a stream's reader has gone. This takes one or two comments. */
const KEEP_ALIVE_MS = 1_000;

type Bindings = Readonly<Record<string, unknown>>;

/** The exports of a module Worker (https://developers.cloudflare.com/workers/runtime-apis/handlers/). */
export interface EdgeService {
  fetch(request: Request, env: Bindings, context: Context): Promise<Response>;
  scheduled(event: unknown, env: Bindings, context: Context): Promise<void>;
}

/**
 * The service for runtimes that keep nothing alive between two requests. Each request and each cron event
 * builds its own objects and shares nothing. A request after which a run may go on also works the queue.
 * A cron event always works the queue, and takes over runs of lost workers.
 */
export function createEdgeService(createJobs: CreateJobs): EdgeService {
  return {
    async fetch(request, env, context) {
      const settings = await settingsOf(env);
      if (settings instanceof ConfigError) return problemResponse(settings, () => undefined);
      const invocation = createInvocation(settings, { createJobs, context });
      workAfterChanges(invocation, settings.config);
      return await createApp(invocation, settings).fetch(request);
    },

    async scheduled(_event, env, context) {
      const settings = await settingsOf(env);
      if (settings instanceof ConfigError) throw settings;
      const { migrate, work } = createInvocation(settings, { createJobs, context });
      await migrate();
      await work({ timeoutMs: settings.config.DURABLY_CRON_MS });
    },
  };
}

function createApp({ service, migrate, streamsEnd, log }: Invocation, { config, access }: Settings) {
  return createDurablyApp(service, {
    basePath: config.DURABLY_BASE_PATH,
    maxBodyBytes: config.DURABLY_MAX_BODY_BYTES,
    dashboard: DASHBOARD_MODES[config.DURABLY_DASHBOARD],
    ...access,
    logger: log,
    onRequest: migrate,
    shutdown: streamsEnd,
    keepAliveMs: KEEP_ALIVE_MS,
  });
}

/**
 * After each of these some run may go on. A cancelled run may free its concurrency key, and ends the wait of
 * the run that invoked it.
 */
const STARTS_WORK = ['run:trigger', 'run:retry', 'run:signal', 'run:cancel'] as const;

/** The first such change of a request starts work on the queue. It continues after the answer. */
function workAfterChanges({ durably, work, log }: Invocation, config: EdgeConfig): void {
  let isWorking = false;
  const begin = () => {
    if (isWorking) return;
    isWorking = true;
    work({ timeoutMs: config.DURABLY_WORK_MS }).catch((error: unknown) =>
      log.failure('work after a request failed', error),
    );
  };
  for (const type of STARTS_WORK) durably.on(type, begin);
}

const known = new WeakMap<Bindings, Settings | ConfigError>();

/**
 * Reads the settings, and logs what is wrong with them, once per isolate. Caches a value, because requests must
 * not share a promise.
 */
async function settingsOf(env: Bindings): Promise<Settings | ConfigError> {
  const settings = known.get(env) ?? (await readSettings(env));
  known.set(env, settings);
  return settings;
}

async function readSettings(env: Bindings): Promise<Settings | ConfigError> {
  const unknown = describeUnknownBindings(env);
  if (unknown !== undefined) createConsoleLog('info').warn(unknown);
  try {
    const config = readEdgeConfig(env);
    return { config, access: await createAccess(config) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    createConsoleLog('info').error(`cannot start: ${error.message}`);
    return error;
  }
}
