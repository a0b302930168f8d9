import { collectDefaultMetrics, Registry } from 'prom-client';
import type { DurablyEvent, EventType } from '../../core/events.ts';
import type { DurablyPlugin } from '../../core/plugins/plugin.ts';
import type { DatabaseVitals, Vitals } from '../../core/stats/vitals.ts';
import { WEBHOOK_JOB } from '../../core/webhooks/webhooks.ts';
import { registerCounted } from './counted.ts';
import { createGauges, createInstruments, type Gauges, type Instruments } from './instruments.ts';

/** What {@link createMetrics} reads of an instance. */
export interface WatchedInstance {
  getVitals(): Promise<Vitals>;
  getJob(name: string): unknown;
}

/** The metrics of an instance, for Prometheus. */
export interface Metrics {
  /** To be given to `use`. */
  readonly plugin: DurablyPlugin;
  /** prom-client's registry: add metrics of your own. */
  readonly registry: Registry;
  /** The type of {@link text}. */
  readonly contentType: string;
  /** Shows the lines, slots, streams and database of this instance, too, and its jobs by name. */
  watch(durably: WatchedInstance): void;
  /** The metrics as they are now. Without those that the database would have to tell, if it does not. */
  text(): Promise<string>;
}

/** The label of jobs that are not registered, whose names could be any number. */
const OTHER = 'other';
/** What became of a try to deliver a webhook. `failed`: it is not tried again. */
const DELIVERY_OUTCOMES = ['delivered', 'retried', 'failed'] as const;
type DeliveryOutcome = (typeof DELIVERY_OUTCOMES)[number];
const HEARD = [
  'run:trigger',
  'run:complete',
  'run:fail',
  'run:cancel',
  'run:retry',
  'step:complete',
  'step:fail',
  'step:retry',
  'worker:error',
] as const satisfies readonly EventType[];
/** Executions whose end was not heard of. It comes at once, unless the run was lost meanwhile. */
const MAX_OPEN = 10_000;

/**
 * Counts what an instance does, and how long it takes. For Node, because prom-client reads the process.
 *
 * @param options.process whether to show the process, too: memory, CPU, event-loop lag. Default: true.
 * @example
 * import { createDurably } from 'durably'
 * import { createDurablyApp } from 'durably/hono'
 * import { createMetrics } from 'durably/metrics'
 *
 * const metrics = createMetrics()
 * const durably = createDurably({ dialect, use: [metrics.plugin] })
 * metrics.watch(durably)
 * const app = createDurablyApp(durably, { metrics })
 */
export function createMetrics({ process = true }: { readonly process?: boolean | undefined } = {}): Metrics {
  const registry = new Registry();
  let database: DatabaseVitals | undefined;
  let watched: WatchedInstance | undefined;
  let asking: Promise<void> | undefined;
  const instruments = createInstruments(registry);
  const gauges = createGauges(registry, ask);
  registerCounted(registry, () => database, ask);
  if (process) collectDefaultMetrics({ register: registry });
  const isShown = (name: string) => name === WEBHOOK_JOB || watched?.getJob(name) !== undefined;
  const jobOf = (name: string) => (isShown(name) ? name : OTHER);
  for (const outcome of DELIVERY_OUTCOMES) instruments.deliveries.inc({ outcome }, 0);
  // What is only known when somebody asks has no value before.
  showVitals(gauges, undefined, { isWatched: false });

  /** Asks the instance, once for all metrics of an answer. */
  async function ask(): Promise<void> {
    asking ??= readVitals().finally(() => {
      asking = undefined;
    });
    await asking;
  }

  async function readVitals(): Promise<void> {
    const vitals = await watched?.getVitals().catch(() => undefined);
    database = vitals?.database ?? database;
    showVitals(gauges, vitals, { isWatched: watched !== undefined });
  }

  return {
    plugin: createPlugin(instruments, jobOf),
    registry,
    contentType: registry.contentType,
    watch(durably) {
      watched = durably;
    },
    text: () => registry.metrics(),
  };
}

function createPlugin(instruments: Instruments, jobOf: (name: string) => string): DurablyPlugin {
  /** By run: when its execution began, and how long before that it was first started; seconds. */
  const open = new Map<string, { readonly begunMs: number; readonly earlierMs: number }>();
  const countDelivery = (outcome: DeliveryOutcome) => instruments.deliveries.inc({ outcome });
  const observeEnd = ({ runId, jobName }: { runId: string; jobName: string }, status: string) => {
    const job = jobOf(jobName);
    instruments.ended.inc({ job, status });
    if (jobName === WEBHOOK_JOB && status === 'completed') countDelivery('delivered');
    if (jobName === WEBHOOK_JOB && status === 'failed') countDelivery('failed');
    const execution = open.get(runId);
    if (!open.delete(runId) || execution === undefined) return;
    const ms = execution.earlierMs + performance.now() - execution.begunMs;
    instruments.runSeconds.observe({ job, status }, ms / 1000);
  };
  /** By job. Steps are many, and to find what counts them takes longer than to count. */
  const steps = new Map<string, { complete(seconds: number): void }>();
  const stepsOf = (job: string) => {
    const known = steps.get(job);
    if (known !== undefined) return known;
    const count = instruments.steps.labels({ job, status: 'completed' });
    const duration = instruments.stepSeconds.labels({ job });
    const made = {
      complete(seconds: number) {
        count.inc();
        duration.observe(seconds);
      },
    };
    steps.set(job, made);
    return made;
  };
  return {
    name: 'metrics',
    events: HEARD,
    async aroundRun({ runId, jobName, kind, attempt, dueSinceMs, startedAtMs, claimedAtMs }, next) {
      const job = jobOf(jobName);
      if (kind === 'takeover') instruments.takenOver.inc({ job });
      if (kind === 'start' && attempt === 1) {
        instruments.waitSeconds.observe({ job }, Math.max(0, claimedAtMs - dueSinceMs) / 1000);
      }
      open.set(runId, { begunMs: performance.now(), earlierMs: Math.max(0, claimedAtMs - startedAtMs) });
      forgetOldest(open);
      // What ends the run is heard after this.
      if ((await next()) !== 'completed') open.delete(runId);
    },
    onEvent(event: DurablyEvent) {
      switch (event.type) {
        case 'run:trigger':
          return instruments.triggered.inc({ job: jobOf(event.jobName) });
        case 'run:complete':
          return observeEnd(event, 'completed');
        case 'run:fail':
          return observeEnd(event, 'failed');
        case 'run:cancel':
          return observeEnd(event, 'cancelled');
        case 'run:retry':
          open.delete(event.runId);
          if (event.automatic === true) instruments.retried.inc({ job: jobOf(event.jobName) });
          return;
        case 'step:complete':
          return stepsOf(jobOf(event.jobName)).complete(event.duration / 1000);
        case 'step:fail':
          return instruments.steps.inc({ job: jobOf(event.jobName), status: 'failed' });
        case 'step:retry':
          if (event.jobName === WEBHOOK_JOB) countDelivery('retried');
          return instruments.stepsRetried.inc({ job: jobOf(event.jobName) });
        case 'worker:error':
          if (event.context === 'lease') instruments.leasesLost.inc();
          return instruments.workerErrors.inc({ context: event.context });
        default:
          return;
      }
    },
  };
}

function forgetOldest(open: Map<string, unknown>): void {
  if (open.size <= MAX_OPEN) return;
  const [oldest] = open.keys();
  if (oldest !== undefined) open.delete(oldest);
}

function showVitals(
  gauges: Gauges,
  vitals: Vitals | undefined,
  { isWatched }: { readonly isWatched: boolean },
): void {
  for (const gauge of Object.values(gauges)) gauge.reset();
  // A reset makes them 0, which would say something.
  for (const gauge of [gauges.slots, gauges.slotsInUse, gauges.streams, gauges.isUp]) gauge.remove();
  if (!isWatched) return;
  if (vitals === undefined) return gauges.isUp.set(0);
  const { slots, streams, jobs, otherJobs } = vitals;
  gauges.slots.set(slots.of);
  gauges.slotsInUse.set(slots.inUse);
  gauges.streams.set(streams);
  gauges.isUp.set(jobs === null ? 0 : 1);
  if (jobs === null) return;
  const lines = jobs.map((line) => ({ ...line, oldestMs: line.oldestPendingMs as number | undefined }));
  const others = otherJobs === null ? [] : [{ ...otherJobs, jobName: OTHER, oldestMs: undefined }];
  for (const { jobName: job, pending, waiting, running, oldestMs } of [...lines, ...others]) {
    for (const [status, count] of Object.entries({ pending, waiting, running })) {
      gauges.active.set({ job, status }, count);
    }
    if (oldestMs !== undefined) gauges.oldest.set({ job }, oldestMs / 1000);
  }
}
