import { fork } from './fork.ts';
import { logs } from './logs.ts';
import { cancelRuns, deleteRuns, retryRuns } from './managing/bulk-commands.ts';
import { pause, resume } from './managing/job-commands.ts';
import { jobs } from './managing/jobs.ts';
import { overview, workers } from './managing/overview.ts';
import { reschedule } from './managing/reschedule.ts';
import { schedule, schedules } from './managing/schedules.ts';
import { stats } from './managing/stats.ts';
import { retrigger } from './retrigger.ts';
import { run } from './run.ts';
import { cancel, deleteRun, retry } from './run-commands.ts';
import { runs } from './runs.ts';
import { runsSubscribe } from './runs-subscribe.ts';
import { deleteSchedule, fireSchedule, pauseSchedule, resumeSchedule } from './schedule-commands.ts';
import { signal } from './signal.ts';
import { steps } from './steps.ts';
import { subscribe } from './subscribe.ts';
import { tick } from './tick.ts';
import { trigger } from './trigger.ts';
import { triggerBatch } from './trigger-batch.ts';

/** All operations. */
export const operations = [
  trigger,
  triggerBatch,
  subscribe,
  runs,
  run,
  steps,
  logs,
  retrigger,
  fork,
  retry,
  cancel,
  deleteRun,
  signal,
  pause,
  resume,
  reschedule,
  cancelRuns,
  retryRuns,
  deleteRuns,
  jobs,
  stats,
  overview,
  workers,
  schedules,
  schedule,
  deleteSchedule,
  pauseSchedule,
  resumeSchedule,
  fireSchedule,
  runsSubscribe,
  tick,
] as const;

export type OperationName = (typeof operations)[number]['name'];
