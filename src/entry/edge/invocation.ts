import { type Access, fetchLoopback } from '../../app/access.ts';
import type { DurablyService } from '../../core/durably.ts';
import { systemClock } from '../../core/time/clock.ts';
import { createDurably, type Durably } from '../../create-durably.ts';
import type { DurablyOptions } from '../../durably-options.ts';
import { instanceOptions } from '../instance-options.ts';
import { createConsoleLog } from '../log/console-log.ts';
import type { ServiceLog } from '../log/service-log.ts';
import { type EdgeConfig, requestLimits } from './config.ts';
import { remoteDialect } from './database.ts';
import { RequestBudget } from './request-budget.ts';

type Jobs = NonNullable<DurablyOptions['jobs']>;

/**
 * Creates the jobs of one invocation. Requests that they send with this `fetch` count towards the invocation's
 * budget, and are refused when it is used up.
 */
export type CreateJobs = (context: {
  readonly config: EdgeConfig;
  readonly fetch: typeof fetch;
  readonly fetchLoopback: 'open' | 'named';
}) => Jobs;

/** How long a health check waits for the database to be migrated, ms. */
const MIGRATED_WITHIN_MS = 2_000;

/** The part of a Worker's context that is used here. */
export interface Context {
  waitUntil(promise: Promise<unknown>): void;
}

/**
 * The databases that this isolate has found migrated. Flags instead of promises, because requests must not
 * share a promise.
 */
const migratedUrls = new Set<string>();

/** Read once per isolate and used by all of its invocations. */
export interface Settings {
  readonly config: EdgeConfig;
  readonly access: Access;
}

/** The objects of one request or cron event. Two invocations must not share anything that does I/O. */
export interface Invocation {
  readonly durably: Durably;
  /** The instance for the HTTP side. Its work ends with the budget. */
  readonly service: DurablyService;
  /** Migrates the database, unless this isolate knows that it is migrated. */
  migrate(): Promise<void>;
  /** Works the queue until the time or the budget of requests is used up. It continues when the caller has gone. */
  work(options: { readonly timeoutMs: number }): Promise<number>;
  /** Aborts when event streams must end because few requests are left. */
  readonly streamsEnd: AbortSignal;
  readonly log: ServiceLog;
}

/** Creates the objects of one invocation. */
export function createInvocation(
  { config, access }: Settings,
  { createJobs, context }: { createJobs: CreateJobs; context: Context },
): Invocation {
  const { TURSO_DATABASE_URL: url } = config;
  const log = createConsoleLog(config.LOG_LEVEL);
  const limits = requestLimits(config);
  const budget = new RequestBudget();
  const durably = createDurably({
    dialect: remoteDialect({ url, authToken: config.TURSO_AUTH_TOKEN, fetch: budget.fetch }),
    worker: 'on-demand',
    ...instanceOptions(config, log),
    // The requests beyond this limit are reserved for storing results.
    jobs: createJobs({
      config,
      fetch: budget.fetchUntil(limits.work),
      fetchLoopback: fetchLoopback(access),
    }),
  });
  durably.onError((error) => log.failure('event listener failed', error));

  const migrate = async () => {
    if (migratedUrls.has(url)) return;
    await durably.migrate();
    migratedUrls.add(url);
  };
  const workEnds = budget.signalAfter(limits.work);
  const work: DurablyService['processUntilIdle'] = (options) => {
    const working = durably.processUntilIdle({ ...options, signal: workEnds });
    context.waitUntil(working.catch(() => undefined));
    return working;
  };
  const service: DurablyService = {
    ...durably,
    processUntilIdle: work,
    async health() {
      // The health check may be the first to need the migration. If it fails, the answer shows it.
      await Promise.race([migrate().catch(() => undefined), pause(MIGRATED_WITHIN_MS)]);
      return await durably.health();
    },
  };
  return { durably, service, migrate, work, log, streamsEnd: budget.signalAfter(limits.streams) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => systemClock.schedule(ms, resolve));
}
