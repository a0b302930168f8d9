import { streamOf } from '../events/event-stream.ts';
import { createCatalogue } from './catalogue.ts';
import { cancel, deleteRun, retry } from './commands.ts';
import { cancelRuns, deleteRuns, retryRuns } from './managing/bulk.ts';
import { getJobs } from './managing/jobs.ts';
import { getOverview, getWorkers } from './managing/overview.ts';
import { pauseJob, resumeJob } from './managing/pause.ts';
import { purgeRuns } from './managing/purge.ts';
import { reschedule } from './managing/reschedule.ts';
import { getStats } from './managing/stats.ts';
import { getVitals } from './managing/vitals.ts';
import { createReads } from './reads.ts';
import type { RunsDeps } from './runs-deps.ts';
import {
  deleteSchedule,
  fireSchedule,
  getSchedules,
  pauseSchedule,
  resumeSchedule,
  schedule,
} from './schedules.ts';
import { signal } from './signal.ts';
import { batchTrigger, batchTriggerForIds } from './triggering/batch-trigger.ts';
import { fork } from './triggering/fork.ts';
import { retrigger } from './triggering/retrigger.ts';
import { trigger, triggerForId } from './triggering/trigger.ts';

/**
 * All operations on runs, one line each. The code of a line is in its own file. Its documentation is
 * where callers read it, in `DurablyService` and `Durably`.
 */
export function createRuns(deps: RunsDeps) {
  const { feed } = deps;
  return {
    ...createCatalogue(deps),
    trigger: trigger.bind(undefined, deps),
    triggerForId: triggerForId.bind(undefined, deps),
    batchTrigger: batchTrigger.bind(undefined, deps),
    batchTriggerForIds: batchTriggerForIds.bind(undefined, deps),
    retrigger: retrigger.bind(undefined, deps),
    retry: retry.bind(undefined, deps),
    cancel: cancel.bind(undefined, deps),
    deleteRun: deleteRun.bind(undefined, deps),
    cancelRuns: cancelRuns.bind(undefined, deps),
    retryRuns: retryRuns.bind(undefined, deps),
    deleteRuns: deleteRuns.bind(undefined, deps),
    reschedule: reschedule.bind(undefined, deps),
    getJobs: getJobs.bind(undefined, deps),
    getStats: getStats.bind(undefined, deps),
    getWorkers: getWorkers.bind(undefined, deps),
    getOverview: getOverview.bind(undefined, deps),
    getVitals: getVitals.bind(undefined, deps),
    purgeRuns: purgeRuns.bind(undefined, deps),
    fork: fork.bind(undefined, deps),
    signal: signal.bind(undefined, deps),
    pauseJob: pauseJob.bind(undefined, deps),
    resumeJob: resumeJob.bind(undefined, deps),
    schedule: schedule.bind(undefined, deps),
    getSchedules: getSchedules.bind(undefined, deps),
    deleteSchedule: deleteSchedule.bind(undefined, deps),
    pauseSchedule: pauseSchedule.bind(undefined, deps),
    resumeSchedule: resumeSchedule.bind(undefined, deps),
    fireSchedule: fireSchedule.bind(undefined, deps),
    ...createReads(deps.store),
    openRunFeed: feed.openRun.bind(feed),
    openRunListFeed: feed.openList.bind(feed),
    subscribe: streamOf.bind(undefined, feed),
  };
}
