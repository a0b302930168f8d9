import type { Dialect, Kysely } from 'kysely';
import type { DurablyService } from './core/durably.ts';
import { ValidationError } from './core/errors/errors.ts';
import type { DurablyEvent, EventHandler, EventType } from './core/events.ts';
import { parseRetention } from './core/managing/retention.ts';
import { parseRun } from './core/run.ts';
import type { Vitals } from './core/stats/vitals.ts';
import type { Store } from './core/store.ts';
import { type Clock, systemClock } from './core/time/clock.ts';
import { checkOptions } from './core/validation/option-types.ts';
import { shownValue } from './core/validation/shown-value.ts';
import { DURABLY_OPTIONS, type DurablyOptions } from './durably-options.ts';
import { type ErrorHandler, EventBus } from './engine/events/event-bus.ts';
import { JournalFeed } from './engine/events/journal-feed.ts';
import { RunLog } from './engine/events/run-log.ts';
import { Housekeeping } from './engine/housekeeping.ts';
import { Registry } from './engine/jobs/registry.ts';
import { toldRun, withOpenedReads } from './engine/plugins/opened-reads.ts';
import { parsePlugins } from './engine/plugins/plugins.ts';
import type { AnyJobs, HandlesOf, OpenHandles } from './engine/runs/catalogue.ts';
import type { JobHandle } from './engine/runs/job-handle.ts';
import { createRuns } from './engine/runs/runs.ts';
import { createLifecycle } from './engine/worker/lifecycle.ts';
import { Worker } from './engine/worker/worker.ts';
import { checkWorkerOptions, defaultResultBytes, type StopOptions } from './engine/worker/worker-options.ts';
import type { Schema } from './storage/sqlite/schema.ts';
import { createStore } from './storage/sqlite/store.ts';

/** How often the streams of a resident instance look for events that other processes wrote, ms. */
const MAX_FEED_POLL_MS = 250;

/** An instance: its jobs, its worker, and the operations on runs. Create it with {@link createDurably}. */
export interface Durably<THandles = OpenHandles> extends DurablyService {
  /**
   * Calls `migrate()`, then `start()`, which does nothing for a worker on demand. It costs nothing
   * when both are done, so it may be called before each request.
   */
  init(): Promise<void>;
  /** Brings the schema up to date; safe in several processes at once. @throws {SchemaMismatchError} */
  migrate(): Promise<void>;
  /**
   * What a monitor watches of this instance, and the lines of its jobs: a few reads, however many runs there are.
   *
   * @throws {DatabaseUnavailableError}
   */
  getVitals(): Promise<Vitals>;
  /** Starts the worker. Does nothing if it is already started. */
  start(): void;
  /**
   * Claims nothing new and waits for the running runs. After `timeoutMs` it
   * aborts their steps and hands them back, for another worker to take at once.
   * Called inside a job it waits for the others only: the calling run goes on.
   * A second call may shorten the time. `start()` and `init()` start it again,
   * unless it was stopped with `final`: a process that is about to end and still
   * answers requests, which may call `init()` or `/tick`, must not claim again.
   *
   * @example process.once('SIGTERM', () => durably.stop({ timeoutMs: 8_000 }))
   */
  stop(options?: StopOptions): Promise<void>;
  /** How many runs this instance executes at the moment. */
  countRunning(): number;
  /**
   * Claims one run, when a slot is free, and executes it. False if there was none. The worker need
   * not be started.
   *
   * @throws {DatabaseUnavailableError} if the claim fails.
   * @throws {ConflictError} inside a job, because it would wait for the job's own run.
   */
  processOne(): Promise<boolean>;
  /** Registers all jobs or none. @throws {ConflictError} if a name is registered with another definition. */
  register<TJobs extends AnyJobs>(jobs: TJobs): HandlesOf<TJobs>;
  /** The handles of the registered jobs, by the keys of `register`. */
  readonly jobs: THandles;
  /** The handle of a registered job; undefined for an unknown name. */
  getJob(name: string): JobHandle | undefined;
  /**
   * Calls the handler with this process's events, after their commit. The returned function unsubscribes.
   *
   * @example
   * const unsubscribe = durably.on('run:fail', ({ jobName, error }) => console.error(jobName, error))
   */
  on<E extends EventType>(event: E, handler: EventHandler<E>): () => void;
  /**
   * Calls the handler with errors that listeners throw. They never affect a run. The returned
   * function unsubscribes.
   */
  onError(handler: ErrorHandler): () => void;
  /**
   * A run's events from its first on. Closes after its end; errors with
   * NotFoundError for an unknown run.
   *
   * @example for await (const event of durably.subscribe(runId)) console.log(event.type)
   */
  subscribe(runId: string): ReadableStream<DurablyEvent>;
  /**
   * The Kysely instance, for advanced use and for closing. After `db.destroy()`, everything that
   * waits is rejected with {@link DatabaseUnavailableError}.
   */
  readonly db: Kysely<Schema>;
}

/**
 * Creates a durably instance. Nothing is read or written until it is used.
 *
 * @throws {ValidationError} that names a bad option and its value.
 * @example
 * const greet = defineJob({
 *   name: 'greet',
 *   input: z.object({ name: z.string() }),
 *   run: async (step, { name }) => ({ text: await step.run('compose', () => `Hello ${name}`) }),
 * })
 * const durably = createDurably({ dialect, jobs: { greet } })
 * await durably.init()
 * const { output } = await durably.jobs.greet.triggerAndWait({ name: 'Ada' })
 * await durably.stop()
 */
export function createDurably<TJobs extends AnyJobs>(
  options: DurablyOptions<TJobs> & { readonly jobs: TJobs },
): Durably<HandlesOf<TJobs>>;
export function createDurably(options: DurablyOptions): Durably;
export function createDurably(options: DurablyOptions): Durably {
  return assembleDurably(options, { clock: systemClock });
}

/** What tests change in an instance. */
interface Assembly {
  readonly clock: Clock;
  readonly wrapStore?: (store: Store) => Store;
}

/** {@link createDurably} with a given clock. */
export function assembleDurably(options: DurablyOptions, { clock, wrapStore }: Assembly): Durably {
  if (typeof options?.dialect?.createDriver !== 'function') {
    throw new ValidationError(`dialect must be a Kysely dialect, not ${shownValue(options?.dialect)}`);
  }
  checkOptions('createDurably option', options, DURABLY_OPTIONS);
  const given = checkWorkerOptions(options);
  const isResident = given.presence === 'resident';
  const { webhooks } = options;
  const plugins = { ...parsePlugins(options.use, clock), webhooks };
  const hasWebhooks = webhooks !== undefined && (webhooks.ofRuns || webhooks.endpoints.length > 0);
  const {
    store: made,
    db,
    isRemote,
  } = createStore({
    dialect: options.dialect as Dialect,
    reconnect: options.reconnect,
    clock,
    // An instance on demand may live only for one request.
    checksAtFirstUse: isResident,
    onWriteOutage: (outage) => {
      if (outage.kind === 'ended') log.databaseRecovered(outage);
      else bus.reportWorkerError({ error: outage.error, context: 'database' });
    },
    onClosed: (error) => {
      feed.close(error);
      worker.abandon(error);
    },
  });
  const stored = wrapStore === undefined ? made : wrapStore(made);
  const store = plugins.codec === undefined ? stored : withOpenedReads(stored, plugins.codec);
  const isEncoded = plugins.codec !== undefined;
  const maxResultBytes = given.maxResultBytes ?? defaultResultBytes({ isRemote, isEncoded });
  const { errorDetail = 'full', logger } = options;
  const log = new RunLog(logger);
  const bus = new EventBus(clock, log, plugins.observing);
  const registry = new Registry();
  const { retainRuns } = options;
  const retention = retainRuns === undefined ? [] : parseRetention('retainRuns', retainRuns);
  const housekeeping = new Housekeeping({
    store,
    bus,
    clock,
    presence: given.presence,
    retention,
    hasWebhooks,
  });
  const worker = new Worker(
    { store, bus, clock, registry, housekeeping, log, errorDetail, plugins },
    { ...given, maxResultBytes },
  );
  const feed = new JournalFeed({
    store,
    clock,
    mayLag: isRemote,
    pollMs: isResident ? Math.min(MAX_FEED_POLL_MS, given.pollingIntervalMs) : given.pollingIntervalMs,
    onError: (error) => bus.reportWorkerError({ error, context: 'feed' }),
  });
  bus.onPublish = () => feed.nudge();
  bus.on('run:cancel', ({ runId }) => worker.noteCancelled(runId));
  const runs = createRuns({
    store,
    registry,
    worker,
    bus,
    feed,
    housekeeping,
    isResident,
    clock,
    plugins,
    maxInputBytes: maxResultBytes,
  });
  if (hasWebhooks) {
    const getRun = async (runId: string) => {
      const run = await stored.getRun(runId, { asOf: 'now' });
      return run && parseRun(await toldRun(plugins.codec, run));
    };
    registry.addWebhooks(webhooks.createJob({ getRun, clock }), webhooks);
    // The cancellation has stored its delivery.
    bus.on('run:cancel', () => worker.wake());
  }
  if (options.jobs) runs.register(options.jobs);
  return {
    ...createLifecycle({ store, worker, clock, webhooks }),
    ...runs,
    on: bus.on.bind(bus),
    onError: bus.onError.bind(bus),
    db,
  };
}
