import type { ErrorDetailMode } from './core/errors/error-detail.ts';
import type { Logger } from './core/logger.ts';
import { type RunRetention, retentionOption } from './core/managing/retention.ts';
import type { DurablyPlugin } from './core/plugins/plugin.ts';
import {
  anyOption,
  errorDetailOption,
  functionOption,
  listOption,
  loggerOption,
  type OptionSchemas,
  objectWith,
} from './core/validation/option-types.ts';
import type { Webhooks } from './core/webhooks/webhooks.ts';
import type { AnyJobs } from './engine/runs/catalogue.ts';
import { WORKER_OPTIONS } from './engine/worker/worker-options.ts';

/**
 * The shape of a Kysely dialect. A project may have another copy of Kysely than durably, and the
 * types of two copies are not assignable to each other.
 */
export interface AnyDialect {
  createDriver(): { acquireConnection(): Promise<object> };
  createQueryCompiler(): object;
  createAdapter(): object;
  createIntrospector(db: never): object;
}

/** The options of an instance. All except `dialect` are optional. */
export interface DurablyOptions<TJobs extends AnyJobs = AnyJobs> {
  /** A Kysely SQLite dialect. */
  readonly dialect: AnyDialect;
  /**
   * How long an idle worker waits before it looks for work that others created. On demand, how often
   * a stream looks for events. In ms. Default: 1000.
   */
  readonly pollingInterval?: number | undefined;
  /** How often a worker renews its leases, ms. Less than `staleThreshold`. Default: 5000. */
  readonly heartbeatInterval?: number | undefined;
  /** The age of a heartbeat at which another worker takes the run over, ms. Default: 30000. */
  readonly staleThreshold?: number | undefined;
  /** How many runs this worker executes at once. Default: 1. */
  readonly maxConcurrentRuns?: number | undefined;
  /**
   * The most bytes that a step's result, a run's output or a job's input takes as JSON. A larger result fails
   * its step, a larger output its run, a larger input is refused. Default: 16 MiB, or 4 MiB on a server.
   */
  readonly maxResultBytes?: number | undefined;
  /**
   * `on-demand` is for platforms where nothing may continue between requests. It starts no loop, not
   * even by `init()`: call `processUntilIdle()`. Default: `resident`, or `on-demand` on Cloudflare Workers.
   */
  readonly worker?: 'resident' | 'on-demand' | undefined;
  /**
   * How long runs are kept after their end, with their steps, log lines and events: all, or by status, such as
   * `{ completed: '7d', failed: '30d' }`. Default: for ever.
   */
  readonly retainRuns?: RunRetention | undefined;
  /** Jobs to register at once; they type `durably.jobs`. */
  readonly jobs?: TJobs | undefined;
  /**
   * Renews the dialect's connection after SQLITE_BUSY. LibsqlDialect does not need it. Another
   * dialect without it stops at the first SQLITE_BUSY.
   */
  readonly reconnect?: (() => void | Promise<void>) | undefined;
  /**
   * What is stored of the errors that fail runs and steps, and of errors in log data. `message` stores no stacks. Default: `full`.
   */
  readonly errorDetail?: ErrorDetailMode | undefined;
  /**
   * Receives a line for each run that failed, was resumed, taken over or handed back, and for errors
   * without a `worker:error` or `onError` listener. Without a logger, takeovers and failures that nobody listens to go to the console.
   */
  readonly logger?: Logger | undefined;
  /** What extends the instance, called in this order. */
  readonly use?: readonly DurablyPlugin[] | undefined;
  /**
   * Who is told how runs end: what `createWebhooks` of `durably/webhooks` makes. The instance that starts last decides for
   * all on the database; one without this option changes nothing.
   */
  readonly webhooks?: Webhooks | undefined;
}

/** What each option must be. */
export const DURABLY_OPTIONS: OptionSchemas<DurablyOptions> = {
  dialect: anyOption,
  ...WORKER_OPTIONS,
  errorDetail: errorDetailOption,
  retainRuns: retentionOption,
  logger: loggerOption,
  use: listOption('must be a list of plugins'),
  webhooks: objectWith(
    ['createJob', 'acceptOfRun'],
    'must be what createWebhooks makes: webhooks: createWebhooks({ endpoints })',
  ),
  jobs: objectWith([], 'must be an object of job definitions'),
  reconnect: functionOption,
};
