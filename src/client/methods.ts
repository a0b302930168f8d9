import { NotFoundError } from '../core/errors/errors.ts';
import type { RunFilter, RunPage } from '../core/lists/run-query.ts';
import type { Stats } from '../core/stats/stats.ts';
import {
  bodyOf,
  type IsAnswer,
  isBulkResult,
  isDone,
  isJobList,
  isLogList,
  isNewRun,
  isOverview,
  isRun,
  isSchedule,
  isScheduleList,
  isSignalled,
  isStats,
  isStepList,
  isTicked,
  isTicket,
  isWorkerList,
  pageOf,
} from './answers.ts';
import type { DurablyClient, ListedEvent } from './durably-client.ts';
import { followEvents } from './event-stream.ts';
import { type ClientOperationName, operations } from './operations.ts';
import { isUnknownPath } from './problem.ts';
import type { Input } from './request.ts';
import { runOf } from './run-handle.ts';
import { unlessAborted } from './time.ts';
import type { CallOptions, Transport } from './transport.ts';
import { sendBatch, sendTrigger } from './triggers.ts';
import { waitForRun } from './wait.ts';

type Methods = Omit<DurablyClient, 'jobs'>;

/** The methods of a client. Those of the table of operations are one line each. */
export function methodsOf(transport: Transport): Methods {
  const send = async <T>(name: ClientOperationName, is: IsAnswer<T>, input: Input, call?: CallOptions) =>
    bodyOf(await transport.call(operations[name], { ...call, input }), is);
  const change = async (name: ClientOperationName, input: Input, call?: CallOptions): Promise<void> =>
    void (await send(name, isDone, input, call));

  const getRun: Methods['getRun'] = async (runId, call) => {
    try {
      return await send('getRun', isRun, { runId }, call);
    } catch (error) {
      if (error instanceof NotFoundError && !isUnknownPath(error)) return null;
      throw error;
    }
  };
  const getRunsPage = async (filter: RunFilter = {}, call?: CallOptions): Promise<RunPage> => {
    if (matchesNothing(filter)) return { runs: [], nextCursor: null };
    return pageOf(await transport.call(operations.getRuns, { ...call, input: { ...filter } }));
  };

  const methods: Methods = {
    run: (runId) => runOf(runId, methods, transport),

    trigger: (jobName, input, options, call) => sendTrigger(transport, { ...options, jobName, input }, call),
    async triggerAndWait(jobName, input, { timeout, signal, onProgress, ...options } = {}) {
      const { runId } = await sendTrigger(transport, { ...options, jobName, input }, { signal });
      const wait = { runId, timeout, signal, onProgress, firstTry: 'endless' } as const;
      const run = await waitForRun(transport, { ...wait, getRun: (stop) => getRun(runId, { signal: stop }) });
      return { id: run.id, output: run.output };
    },
    batchTrigger: (requests, call) => sendBatch(transport, requests, call),
    retrigger: (runId, call) => send('retrigger', isNewRun, { runId }, call),
    fork: (runId, { from, input }, call) => send('fork', isNewRun, { runId, from, input }, call),

    getRun,
    async getRuns(filter: RunFilter = {}, call?: CallOptions) {
      return (await getRunsPage(filter, call)).runs;
    },
    getRunsPage,
    async *runPages(filter: RunFilter = {}, call?: CallOptions) {
      let cursor: string | null | undefined = filter.cursor;
      for (let isFirst = true; isFirst || cursor !== null; isFirst = false) {
        const page: RunPage = await getRunsPage(
          { ...filter, ...(cursor != null && { cursor, offset: undefined }) },
          call,
        );
        if (page.runs.length > 0) yield page.runs;
        cursor = page.nextCursor;
      }
    },
    getSteps: (runId, call) => send('getSteps', isStepList, { runId }, call),
    getLogs: (query, call) => send('getLogs', isLogList, { ...query }, call),
    runEvents: (runId, options) =>
      followEvents(transport, { ...options, of: 'run', input: { runId }, firstTry: 'bounded' }),
    events: ({ jobName, labels, ...options } = {}) =>
      matchesNothing({ jobName })
        ? noEvents(options.signal)
        : listedEvents(transport, {
            ...options,
            of: 'runs',
            input: { jobName, labels },
            firstTry: 'bounded',
          }),

    retry: (runId, call) => change('retry', { runId }, call),
    cancel: (runId, call) => change('cancel', { runId }, call),
    deleteRun: (runId, call) => change('deleteRun', { runId }, call),
    signal: (runId, name, payload, options, call) =>
      send('signal', isSignalled, { ...options, runId, name, payload }, call),
    reschedule: (runId, options, call) => change('reschedule', { ...options, runId }, call),
    cancelRuns: (filter, call) => send('cancelRuns', isBulkResult, { ...filter }, call),
    retryRuns: (filter, call) => send('retryRuns', isBulkResult, { ...filter }, call),
    deleteRuns: (filter, call) => send('deleteRuns', isBulkResult, { ...filter }, call),

    async getJobs(query = {}, call) {
      return matchesNothing(query) ? [] : await send('getJobs', isJobList, { ...query }, call);
    },
    async getStats({ since, ...query } = {}, call) {
      // Over HTTP a duration has a unit.
      const sent = typeof since === 'number' ? `${since}ms` : since;
      const read = (asked: Input) => send('getStats', isStats, { ...query, ...asked, since: sent }, call);
      // The service checks the query and says which times it covers. The numbers of the job do not count.
      return matchesNothing(query) ? withoutNumbers(await read({ jobName: 'none' })) : await read({});
    },
    getWorkers: (call) => send('getWorkers', isWorkerList, {}, call),
    getOverview: (call) => send('getOverview', isOverview, {}, call),
    pauseJob: (jobName, call) => change('pauseJob', { jobName }, call),
    resumeJob: (jobName, call) => change('resumeJob', { jobName }, call),

    getSchedules: (call) => send('getSchedules', isScheduleList, {}, call),
    schedule: (request, call) => send('schedule', isSchedule, { ...request }, call),
    deleteSchedule: (id, call) => change('deleteSchedule', { id }, call),
    pauseSchedule: (id, call) => change('pauseSchedule', { id }, call),
    resumeSchedule: (id, call) => change('resumeSchedule', { id }, call),
    fireSchedule: (id, call) => send('fireSchedule', isNewRun, { id }, call),

    async processUntilIdle({ timeoutMs } = {}, call) {
      return (await send('processUntilIdle', isTicked, { timeoutMs }, call)).processed;
    },
    createStreamTicket: (runId, call) => send('createStreamTicket', isTicket, { runId }, call),
  };
  return methods;
}

/** An empty list matches nothing, and a query has none. */
function matchesNothing({ jobName, status }: Pick<RunFilter, 'jobName' | 'status'>): boolean {
  return [jobName, status].some((values) => Array.isArray(values) && values.length === 0);
}

function withoutNumbers(stats: Stats): Stats {
  const total = { started: 0, completed: 0, failed: 0, cancelled: 0, duration: null };
  return { ...stats, total, buckets: [], jobs: [] };
}

/** Waits until the signal aborts, and rejects with its reason. */
async function* noEvents(signal: AbortSignal | undefined): AsyncGenerator<ListedEvent, void, undefined> {
  await unlessAborted(new Promise<never>(() => {}), signal);
}

async function* listedEvents(
  ...source: Parameters<typeof followEvents>
): AsyncGenerator<ListedEvent, void, undefined> {
  for await (const event of followEvents(...source)) if (event.type !== 'log:write') yield event;
}
