import type { Dialect, Kysely } from 'kysely';
import { type Clock, systemClock } from './core/clock.ts';
import type { DurablyService } from './core/durably.ts';
import { errorMessage, NotFoundError, ValidationError } from './core/errors.ts';
import type { DurablyEvent, EventHandler, EventType, JournalEvent } from './core/events.ts';
import { checkRunId, type Run, type RunFilter } from './core/run.ts';
import type { Store } from './core/store.ts';
import { commandRun } from './engine/commands.ts';
import type { JobDefinition } from './engine/define-job.ts';
import { type ErrorHandler, EventBus } from './engine/event-bus.ts';
import { EventFeed } from './engine/event-feed.ts';
import { createJobHandle, type HandleDeps, type JobHandle, parseRunFilter } from './engine/job-handle.ts';
import { parseLogQuery } from './engine/log-query.ts';
import { Registry } from './engine/registry.ts';
import { Worker, type WorkerOptions } from './engine/worker.ts';
import type { Schema } from './storage/schema.ts';
import { createStore } from './storage/store.ts';

/** How often streams look for what other processes wrote, ms. */
const MAX_FEED_POLL_MS = 250;
/** A database that takes longer for a write that changes nothing is not healthy, ms. */
const MAX_PROBE_MS = 2_000;

// biome-ignore lint/suspicious/noExplicitAny: any job, whatever its types: `unknown` would refuse handles that take a certain input.
type AnyJobs = Record<string, JobDefinition<string, any, any, any>>;

/** The handle of a job definition. */
export type HandleOf<J> =
  J extends JobDefinition<infer N, infer I, infer P, infer O> ? JobHandle<N, I, P, O> : never;

export type HandlesOf<TJobs extends AnyJobs> = { readonly [K in keyof TJobs]: HandleOf<TJobs[K]> };

/** Handles of whatever was registered, loosely typed. */
// biome-ignore lint/suspicious/noExplicitAny: what was registered is not known to the type.
export type OpenHandles = Record<string, JobHandle<string, any, any, any>>;

export interface DurablyOptions<TJobs extends AnyJobs = AnyJobs> {
  /** A Kysely SQLite dialect. */
  readonly dialect: Dialect;
  /** How long an idle worker waits before it looks for work that others created; ms, 1000 unless given. */
  readonly pollingInterval?: number | undefined;
  /** How often a worker renews its leases; ms, 5000 unless given, less than `staleThreshold`. */
  readonly heartbeatInterval?: number | undefined;
  /** The age of a heartbeat at which a run is taken from its worker; ms, 30000 unless given. */
  readonly staleThreshold?: number | undefined;
  /** How many runs this worker executes at once; 1 unless given. */
  readonly maxConcurrentRuns?: number | undefined;
  /** Jobs to register at once; they type `durably.jobs`. */
  readonly jobs?: TJobs | undefined;
  /**
   * Renews the dialect's connection after SQLITE_BUSY. Not needed over
   * LibsqlDialect. A dialect that has neither stops at the first SQLITE_BUSY.
   */
  readonly reconnect?: (() => void | Promise<void>) | undefined;
}

export interface Durably<THandles = OpenHandles> extends DurablyService {
  /** `migrate()`, then `start()`. Cheap when both are done: it may be called before each request. */
  init(): Promise<void>;
  /** Brings the schema up to date; safe in several processes at once. @throws {SchemaMismatchError} */
  migrate(): Promise<void>;
  /** Starts the worker; nothing happens if it is started. */
  start(): void;
  /**
   * Claims nothing new and waits for the running runs. After `timeoutMs` it
   * aborts their steps and hands them back, for another worker to take at once.
   */
  stop(options?: { readonly timeoutMs?: number | undefined }): Promise<void>;
  /** Adds all jobs or none. @throws {ConflictError} for another definition under a registered name. */
  register<TJobs extends AnyJobs>(jobs: TJobs): HandlesOf<TJobs>;
  /** The registered jobs' handles, by the keys they were registered under. */
  readonly jobs: THandles;
  getJob(name: string): JobHandle | undefined;
  /** Hears this process's events, after their commit; the answer unsubscribes. */
  on<E extends EventType>(event: E, handler: EventHandler<E>): () => void;
  /** Hears what listeners throw; it never affects a run. The answer unsubscribes. */
  onError(handler: ErrorHandler): () => void;
  /**
   * A run's events from its first on. Closes after its end; errors with
   * NotFoundError for an unknown run.
   */
  subscribe(runId: string): ReadableStream<DurablyEvent>;
  /** The Kysely instance, for advanced use and for closing. */
  readonly db: Kysely<Schema>;
}

/**
 * Creates a durably instance. Nothing is read or written until it is used.
 *
 * @throws {ValidationError} that names a bad option and its value.
 */
export function createDurably<TJobs extends AnyJobs>(
  options: DurablyOptions<TJobs> & { readonly jobs: TJobs },
): Durably<HandlesOf<TJobs>>;
export function createDurably(options: DurablyOptions): Durably;
export function createDurably(options: DurablyOptions): Durably {
  return assembleDurably(options, { clock: systemClock });
}

/** {@link createDurably} on a clock of the caller's. */
export function assembleDurably(options: DurablyOptions, { clock }: { clock: Clock }): Durably {
  const workerOptions = checkOptions(options);
  const { store, db } = createStore({ dialect: options.dialect, reconnect: options.reconnect, clock });
  const bus = new EventBus(clock);
  const registry = new Registry();
  const worker = new Worker({ store, bus, clock, registry }, workerOptions);
  const feed = new EventFeed({
    store,
    clock,
    pollMs: Math.min(MAX_FEED_POLL_MS, workerOptions.pollingIntervalMs),
    onError: (error) => bus.reportWorkerError({ error, context: 'feed' }),
  });
  bus.onPublish = () => feed.nudge();
  const lifecycle = createLifecycle({ store, worker, clock });
  const catalogue = createCatalogue(
    registry,
    { store, bus, feed, clock, onEnqueued: () => worker.wake() },
    worker,
  );
  const command = { store, bus, worker };
  const durably: Durably = {
    ...lifecycle,
    ...catalogue,
    ...createReads(store),
    db,
    on: (type, handler) => bus.on(type, handler),
    onError: (handler) => bus.onError(handler),
    retry: (runId) => commandRun('retry', runId, command),
    cancel: (runId) => commandRun('cancel', runId, command),
    deleteRun: (runId) => commandRun('delete', runId, command),
    openRunFeed: (runId, from) => feed.openRun(runId, from),
    openRunListFeed: (from) => feed.openList(from),
    subscribe: (runId) => streamOf(feed, runId),
  };
  if (options.jobs) durably.register(options.jobs);
  return durably;
}

function createLifecycle({ store, worker, clock }: { store: Store; worker: Worker; clock: Clock }) {
  let migrating: Promise<void> | undefined;
  const migrate = async () => {
    migrating ??= store.migrate();
    try {
      await migrating;
    } catch (error) {
      // The next call tries again.
      migrating = undefined;
      throw error;
    }
  };
  let probe: Promise<boolean> | undefined;
  const takesWrites = async () => {
    // Those who ask at the same time share one probe.
    probe ??= store
      .ping()
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        probe = undefined;
      });
    let cancel: () => void = () => undefined;
    const tooLong = new Promise<boolean>((resolve) => {
      cancel = clock.schedule(MAX_PROBE_MS, () => resolve(false));
    });
    return await Promise.race([probe, tooLong]).finally(cancel);
  };
  return {
    migrate,
    start: () => worker.start(),
    stop: (options?: { timeoutMs?: number | undefined }) => worker.stop(options),
    async init() {
      await migrate();
      // A request that comes in while the worker stops must not start it again.
      if (!worker.isStopping) worker.start();
    },
    async health() {
      return { database: await takesWrites(), worker: worker.isRunning };
    },
  };
}

/** Registration, and triggering by name. */
function createCatalogue(registry: Registry, deps: HandleDeps, worker: Worker) {
  const handles = new Map<string, JobHandle>();
  const jobs: OpenHandles = {};
  const register = <TJobs extends AnyJobs>(definitions: TJobs): HandlesOf<TJobs> => {
    registry.add(Object.values(definitions));
    const added = Object.entries(definitions).map(([key, job]) => {
      const handle = handles.get(job.name) ?? createJobHandle(job, deps);
      handles.set(job.name, handle);
      return [key, handle] as const;
    });
    Object.assign(jobs, Object.fromEntries(added));
    worker.wake();
    return Object.fromEntries(added) as HandlesOf<TJobs>;
  };
  return {
    jobs,
    register,
    getJob: (name: string) => handles.get(name),
    async trigger({ jobName, input, ...options }: Parameters<DurablyService['trigger']>[0]): Promise<Run> {
      const handle = handles.get(jobName);
      if (!handle) throw new NotFoundError(`Job not found: ${jobName}`);
      return await handle.trigger(input, options);
    },
  };
}

function createReads(store: Store) {
  const mustExist = async (runId: string) => {
    if (!(await store.getRun(runId))) throw new NotFoundError('Run not found');
  };
  return {
    getRun: async (runId: string) => await store.getRun(checkRunId(runId)),
    getRuns: async (filter: RunFilter = {}) => await store.getRuns(parseRunFilter(filter)),
    async getSteps(runId: string) {
      const steps = await store.getSteps(checkRunId(runId));
      if (steps.length === 0) await mustExist(runId);
      return steps;
    },
    async getLogs(query: Parameters<DurablyService['getLogs']>[0]) {
      const lines = await store.getLogs(parseLogQuery(query));
      if (lines.length === 0) await mustExist(query.runId);
      return lines;
    },
  };
}

function streamOf(feed: EventFeed, runId: string): ReadableStream<JournalEvent> {
  const opened = feed.openRun(runId).then((run) => {
    if (run.kind === 'open') return run.cursor;
    throw new NotFoundError('Run not found');
  });
  // Whoever reads the stream sees the failure there.
  opened.catch(() => undefined);
  return new ReadableStream<JournalEvent>(
    {
      async pull(controller) {
        const events = await (await opened).next();
        if (events === null) controller.close();
        else for (const { event } of events) controller.enqueue(event);
      },
      cancel: () => opened.then((cursor) => cursor.close()),
    },
    { highWaterMark: 0 },
  );
}

function checkOptions(options: DurablyOptions): WorkerOptions {
  if (typeof options?.dialect?.createDriver !== 'function') {
    throw new ValidationError('dialect must be a Kysely dialect');
  }
  const milliseconds = (
    name: 'pollingInterval' | 'heartbeatInterval' | 'staleThreshold',
    byDefault: number,
  ) => {
    const value: unknown = options[name] === undefined ? byDefault : options[name];
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    throw new ValidationError(`${name} must be a positive number of ms, not ${errorMessage(value)}`);
  };
  const pollingIntervalMs = milliseconds('pollingInterval', 1_000);
  const heartbeatIntervalMs = milliseconds('heartbeatInterval', 5_000);
  const staleThresholdMs = milliseconds('staleThreshold', 30_000);
  if (heartbeatIntervalMs >= staleThresholdMs) {
    throw new ValidationError(
      `heartbeatInterval (${heartbeatIntervalMs}) must be less than staleThreshold (${staleThresholdMs})`,
    );
  }
  const maxConcurrentRuns: unknown = options.maxConcurrentRuns === undefined ? 1 : options.maxConcurrentRuns;
  if (
    typeof maxConcurrentRuns !== 'number' ||
    !Number.isInteger(maxConcurrentRuns) ||
    maxConcurrentRuns < 1
  ) {
    throw new ValidationError(
      `maxConcurrentRuns must be a positive whole number, not ${errorMessage(maxConcurrentRuns)}`,
    );
  }
  return { pollingIntervalMs, heartbeatIntervalMs, staleThresholdMs, maxConcurrentRuns };
}
