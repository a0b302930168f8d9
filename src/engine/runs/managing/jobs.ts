import type { JobInfo, JobsQuery } from '../../../core/managing/job-info.ts';
import type { JobCounts } from '../../../core/managing/managing-store.ts';
import { RUN_STATUSES, type RunStatus } from '../../../core/run.ts';
import { checkMembers, type MembersOf } from '../../../core/validation/known-names.ts';
import { refusalOf } from '../../../core/validation/refusal.ts';
import { describeJob } from '../../jobs/job-info.ts';
import type { RunsDeps } from '../runs-deps.ts';

const OPTIONS: MembersOf<JobsQuery> = { jobName: true, counts: true };

/** The jobs that are registered in this process, by name. */
export async function getJobs(
  { store, registry }: Pick<RunsDeps, 'store' | 'registry'>,
  query: JobsQuery = {},
): Promise<JobInfo[]> {
  checkMembers('getJobs option', query, OPTIONS);
  const { jobName, counts: wantsCounts = true } = query;
  if (typeof wantsCounts !== 'boolean') {
    const message = `counts must be true or false, not ${String(wantsCounts)}`;
    throw refusalOf([{ path: ['counts'], message }]);
  }
  const names = jobName === undefined ? undefined : [jobName].flat();
  const jobs = registry
    .names()
    .sort()
    .filter((name) => names === undefined || names.includes(name))
    .flatMap((name) => registry.get(name) ?? []);
  const counted = wantsCounts && jobs.length > 0 ? await store.countRuns() : undefined;
  const counts = counted && new Map(counted.map((each) => [each.jobName, each]));
  const paused = jobs.length > 0 ? await store.listPausedJobs() : [];
  return jobs.map((job) => ({
    ...describeJob(job),
    paused: paused.includes(job.name),
    counts: counts ? countsOf(counts.get(job.name)) : null,
  }));
}

function countsOf(given: JobCounts | undefined): Record<RunStatus, number> {
  const entries = RUN_STATUSES.map((status): [RunStatus, number] => [status, Number(given?.[status] ?? 0)]);
  return Object.fromEntries(entries) as Record<RunStatus, number>;
}
