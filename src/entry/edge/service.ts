import { ConfigError } from '../../app/config.ts';
import { createDurablyApp } from '../../app/create-app.ts';
import { problemResponse } from '../../http/problem.ts';
import { type EdgeConfig, readEdgeConfig } from './config.ts';
import { type Context, type CreateJobs, createInvocation, type Invocation, logError } from './invocation.ts';

/** Only by writing does a Worker find out that a stream's reader has gone, after a comment or two. */
const KEEP_ALIVE_MS = 1_000;

type Bindings = Readonly<Record<string, unknown>>;

/** What a module Worker exports (https://developers.cloudflare.com/workers/runtime-apis/handlers/). */
export interface EdgeService {
  fetch(request: Request, env: Bindings, context: Context): Promise<Response>;
  scheduled(event: unknown, env: Bindings, context: Context): Promise<void>;
}

/**
 * The service for runtimes where nothing lives between two requests: each
 * request and each cron event builds what it needs and shares nothing. A
 * request that leaves work to do works the queue after its answer; a cron event
 * works it whatever there is, runs of vanished workers too.
 */
export function createEdgeService(createJobs: CreateJobs): EdgeService {
  return {
    async fetch(request, env, context) {
      const config = configOf(env);
      if (config instanceof ConfigError) return problemResponse(config, () => undefined);
      const invocation = createInvocation(config, { createJobs, context });
      workAfterChanges(invocation, config);
      return await createApp(invocation, config).fetch(request);
    },

    async scheduled(_event, env, context) {
      const config = configOf(env);
      if (config instanceof ConfigError) throw config;
      const { migrate, work } = createInvocation(config, { createJobs, context });
      await migrate();
      await work({ timeoutMs: config.DURABLY_CRON_MS });
    },
  };
}

function createApp({ service, migrate, streamsEnd }: Invocation, config: EdgeConfig) {
  return createDurablyApp(service, {
    basePath: config.DURABLY_BASE_PATH,
    maxBodyBytes: config.DURABLY_MAX_BODY_BYTES,
    // Until there is access control it answers on this machine alone, under `wrangler dev`.
    allowedHosts: [],
    onRequest: migrate,
    shutdown: streamsEnd,
    keepAliveMs: KEEP_ALIVE_MS,
  });
}

/** What was triggered or retried, or may go ahead since another was cancelled, is worked on beyond the answer. */
function workAfterChanges({ durably, work }: Invocation, config: EdgeConfig): void {
  let isWorking = false;
  const begin = () => {
    if (isWorking) return;
    isWorking = true;
    work({ timeoutMs: config.DURABLY_WORK_MS }).catch((error: unknown) =>
      logError('work after a request', error),
    );
  };
  for (const type of ['run:trigger', 'run:retry', 'run:cancel'] as const) durably.on(type, begin);
}

const configs = new WeakMap<Bindings, EdgeConfig | ConfigError>();

/** Read, and complained of, once in an isolate. */
function configOf(env: Bindings): EdgeConfig | ConfigError {
  const known = configs.get(env);
  if (known !== undefined) return known;
  const config = tryReadConfig(env);
  if (config instanceof ConfigError) console.error(`durably: cannot start: ${config.message}`);
  configs.set(env, config);
  return config;
}

function tryReadConfig(env: Bindings): EdgeConfig | ConfigError {
  try {
    return readEdgeConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}
