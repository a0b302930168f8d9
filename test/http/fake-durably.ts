import type { DurablyService, JsonReads } from '../../src/core/durably.ts';
import type { JournalEvent } from '../../src/core/events.ts';
import type { EventCursor, StreamedEvent } from '../../src/core/feeds.ts';
import type { Run } from '../../src/core/run.ts';
import type { Schedule } from '../../src/core/schedules/schedule.ts';
import type { StatsNumbers } from '../../src/core/stats/stats.ts';
import type { WorkerInfo } from '../../src/core/stats/worker-info.ts';

export const sampleRun: Run = {
  id: 'run_1',
  jobName: 'greet',
  payload: { name: 'Ada' },
  status: 'completed',
  isTerminal: true,
  isActive: false,
  waits: [],
  idempotencyKey: null,
  concurrencyKey: null,
  parentRunId: null,
  scheduleId: null,
  scheduledFor: null,
  labels: { org: '1' },
  currentStepIndex: 1,
  stepCount: 1,
  progress: { current: 1, total: 2 },
  output: { text: 'Hello Ada' },
  error: null,
  errorDetail: null,
  failedStepName: null,
  attempt: 1,
  heartbeatAt: '2026-11-22T10:00:00.000Z',
  createdAt: '2026-11-22T10:00:00.000Z',
  startedAt: '2026-11-22T10:00:00.000Z',
  completedAt: '2026-11-22T10:00:01.000Z',
  updatedAt: '2026-11-22T10:00:01.000Z',
};

export const sampleSchedule: Schedule = {
  id: 'nightly',
  jobName: 'greet',
  input: { name: 'Ada' },
  cron: '30 2 * * *',
  every: null,
  timezone: 'Europe/Berlin',
  missed: 'skip',
  overlap: 'allow',
  startAt: null,
  endAt: null,
  labels: {},
  priority: 0,
  isPaused: false,
  isFixed: false,
  createdAt: '2026-11-22T10:00:00.000Z',
  updatedAt: '2026-11-22T10:00:00.000Z',
  next: ['2026-11-23T01:30:00.000Z'],
};

const sampleNumbers: StatsNumbers = {
  started: 2,
  completed: 1,
  failed: 1,
  cancelled: 0,
  duration: { p50: 10, p95: 20, p99: 20 },
};

const sampleWorker: WorkerInfo = {
  instance: 'worker_1',
  version: '1.0.0',
  slots: { inUse: 1, of: 10 },
  jobs: ['greet'],
  startedAt: '2026-11-22T10:00:00.000Z',
  lastSeenAt: '2026-11-22T10:00:20.000Z',
};

export interface Call {
  readonly method: keyof DurablyService;
  readonly args: readonly unknown[];
}

export interface FakeDurably extends DurablyService {
  readonly calls: Call[];
}

type Methods = Omit<DurablyService, 'asJson'>;

/** The same answers as JSON text. */
function jsonReads(service: Methods): JsonReads {
  async function* pieces(value: unknown) {
    yield JSON.stringify(value);
  }
  return {
    run: async (runId) => {
      const run = await service.getRun(runId);
      return run && pieces(run);
    },
    runs: async (filter) => ({ pieces: pieces(await service.getRuns(filter)), nextCursor: null }),
    steps: async (runId) => pieces(await service.getSteps(runId)),
    logs: async (query) => pieces(await service.getLogs(query)),
  };
}

/** A service that gives minimal answers and records its calls. */
export function fakeDurably(answers: Partial<Methods> = {}): FakeDurably {
  const calls: Call[] = [];
  const usual: Methods = {
    trigger: async () => ({ ...sampleRun, disposition: 'created' }),
    triggerForId: async (request) => {
      const run = await (answers.trigger ?? usual.trigger)(request);
      return { runId: run.id, toRun: () => run, disposition: 'created' };
    },
    batchTrigger: async (requests) => requests.map(() => ({ ...sampleRun, disposition: 'created' })),
    batchTriggerForIds: async (requests) =>
      requests.map(() => ({ runId: sampleRun.id, toRun: () => sampleRun, disposition: 'created' })),
    retrigger: async () => ({ ...sampleRun, id: 'run_2' }),
    getRun: async () => sampleRun,
    getRuns: async () => [sampleRun],
    getRunsPage: async () => ({ runs: [sampleRun], nextCursor: null }),
    getSteps: async () => [],
    getLogs: async () => [],
    retry: async () => {},
    cancel: async () => {},
    deleteRun: async () => {},
    cancelRuns: async () => ({ count: 1, more: false }),
    retryRuns: async () => ({ count: 1, more: false }),
    deleteRuns: async () => ({ count: 1, more: false }),
    purgeRuns: async () => ({ count: 1, more: false }),
    reschedule: async () => {},
    getJobs: async () => [],
    getStats: async ({ bucket = '1h' } = {}) => ({
      bucket,
      since: '2026-11-22T10:00:00.000Z',
      asOf: '2026-11-22T10:30:00.000Z',
      total: sampleNumbers,
      buckets: [{ at: '2026-11-22T10:00:00.000Z', ...sampleNumbers }],
      jobs: [{ jobName: 'greet', total: sampleNumbers, buckets: [] }],
    }),
    getWorkers: async () => [sampleWorker],
    getOverview: async () => ({
      runs: { pending: 1, waiting: 0, running: 0, completed: 2, failed: 0, cancelled: 0 },
      pendingSince: '2026-11-22T10:00:00.000Z',
      databaseBytes: null,
      at: '2026-11-22T10:30:00.000Z',
    }),
    fork: async () => ({ ...sampleRun, id: 'run_2' }),
    signal: async () => ({ disposition: 'accepted' }),
    pauseJob: async () => {},
    resumeJob: async () => {},
    schedule: async () => sampleSchedule,
    getSchedules: async () => [sampleSchedule],
    deleteSchedule: async () => {},
    pauseSchedule: async () => {},
    resumeSchedule: async () => {},
    fireSchedule: async () => ({ ...sampleRun, id: 'run_2' }),
    openRunFeed: async () => ({ kind: 'open', cursor: new ManualCursor([]) }),
    openRunListFeed: async () => ({ after: 7, cursor: new ManualCursor([]) }),
    processUntilIdle: async () => 2,
    health: async () => ({ database: true, worker: true }),
  };
  const methods = { ...usual, ...answers };
  const recorded = Object.entries(methods).map(([method, answer]) => [
    method,
    (...args: unknown[]) => {
      calls.push({ method: method as keyof DurablyService, args });
      return (answer as (...args: unknown[]) => unknown)(...args);
    },
  ]);
  const recording = Object.fromEntries(recorded) as Methods;
  return { calls, ...recording, asJson: jsonReads(recording) };
}

export function streamedEvent(sequence: number): StreamedEvent {
  const event: JournalEvent = {
    type: 'step:start',
    timestamp: '2026-11-22T10:00:00.000Z',
    sequence,
    runId: 'run_1',
    jobName: 'greet',
    stepName: 'one',
    stepIndex: 0,
  };
  return { sequence, event, json: JSON.stringify(event) };
}

/** A cursor that yields the given batches, then waits until `push`, `finish` or `fail` is called. */
export class ManualCursor implements EventCursor {
  readonly #batches: (readonly StreamedEvent[] | null | Error)[];
  #wake = () => {};
  nextCalls = 0;
  closed = false;

  constructor(batches: readonly (readonly StreamedEvent[])[]) {
    this.#batches = [...batches];
  }

  push(...events: StreamedEvent[]): void {
    this.#batches.push(events);
    this.#wake();
  }

  finish(): void {
    this.#batches.push(null);
    this.#wake();
  }

  fail(error: Error): void {
    this.#batches.push(error);
    this.#wake();
  }

  async next(): Promise<readonly StreamedEvent[] | null> {
    this.nextCalls++;
    while (!this.closed) {
      const batch = this.#batches.shift();
      if (batch instanceof Error) throw batch;
      if (batch !== undefined) return batch;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return null;
  }

  close(): void {
    this.closed = true;
    this.#wake();
  }
}
