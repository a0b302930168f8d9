import { newCall } from '../../../core/call.ts';
import type { JobInfo, JobsQuery, ShownSchedule } from '../../../core/managing/job-info.ts';
import type { JobCounts } from '../../../core/managing/managing-store.ts';
import { RUN_STATUSES, type RunStatus } from '../../../core/run.ts';
import type { DueSchedule } from '../../../core/schedules/schedule.ts';
import { slotAfter } from '../../../core/schedules/timing.ts';
import { toIsoTime } from '../../../core/time/clock.ts';
import { checkMembers, type MembersOf } from '../../../core/validation/known-names.ts';
import { refuseMember } from '../../../core/validation/refusal.ts';
import { shownValue } from '../../../core/validation/shown-value.ts';
import { describeJob } from '../../jobs/job-info.ts';
import type { RunsDeps } from '../runs-deps.ts';

const OPTIONS: MembersOf<JobsQuery> = { jobName: true, counts: true, schedules: true };
/** How many schedules of a job are shown. */
const SHOWN_SCHEDULES = 100;

/** The jobs that are registered in this process, by name. */
export async function getJobs(
  { store, registry, clock }: Pick<RunsDeps, 'store' | 'registry' | 'clock'>,
  query: JobsQuery = {},
): Promise<JobInfo[]> {
  checkMembers('getJobs option', query, OPTIONS);
  const { jobName, counts: wantsCounts = true, schedules: wantsSchedules = true } = query;
  for (const [name, wanted] of Object.entries({ counts: wantsCounts, schedules: wantsSchedules })) {
    if (typeof wanted !== 'boolean')
      throw refuseMember(name, `must be true or false, not ${shownValue(wanted)}`);
  }
  const names = jobName === undefined ? undefined : [jobName].flat();
  const jobs = registry
    .names()
    .sort()
    .filter((name) => names === undefined || names.includes(name))
    .flatMap((name) => registry.get(name) ?? []);
  const call = newCall(clock);
  const counted = wantsCounts && jobs.length > 0 ? await store.countRuns(call) : undefined;
  const counts = counted && new Map(counted.map((each) => [each.jobName, each]));
  const paused = jobs.length > 0 ? await store.listPausedJobs(call) : [];
  const jobNames = jobs.map(({ name }) => name);
  const schedules =
    wantsSchedules && jobs.length > 0
      ? await store.listJobSchedules({ jobNames, atMost: SHOWN_SCHEDULES }, call)
      : [];
  return jobs.map((job) => ({
    ...describeJob(job),
    paused: paused.includes(job.name),
    schedules: wantsSchedules ? schedules.filter((one) => one.jobName === job.name).map(shownSchedule) : null,
    counts: counts ? countsOf(counts.get(job.name)) : null,
  }));
}

function countsOf(given: JobCounts | undefined): Record<RunStatus, number> {
  const entries = RUN_STATUSES.map((status): [RunStatus, number] => [status, Number(given?.[status] ?? 0)]);
  return Object.fromEntries(entries) as Record<RunStatus, number>;
}

function shownSchedule({ id, timing, isPaused, fixedVersion, nextAtMs, nowMs }: DueSchedule): ShownSchedule {
  const { cron, everyMs, timezone } = timing;
  const nextMs = nextAtMs === null ? null : slotAfter(timing, nowMs);
  return {
    id,
    cron,
    every: everyMs,
    timezone,
    isPaused,
    isFixed: fixedVersion !== null,
    next: nextMs === null ? null : toIsoTime(nextMs),
  };
}
