import { newCall } from '../../../core/call.ts';
import { RUN_STATUSES, type RunStatus } from '../../../core/run.ts';
import type { Overview } from '../../../core/stats/overview.ts';
import type { WorkerInfo } from '../../../core/stats/worker-info.ts';
import { toIsoTime } from '../../../core/time/clock.ts';
import { checkNoOptions } from '../../../core/validation/known-names.ts';
import { WEBHOOK_JOB } from '../../../core/webhooks/webhooks.ts';
import type { RunsDeps } from '../runs-deps.ts';

/** The workers of all processes. */
export async function getWorkers(
  { store }: Pick<RunsDeps, 'store'>,
  options?: unknown,
): Promise<WorkerInfo[]> {
  checkNoOptions('getWorkers', options);
  const workers = await store.listWorkers();
  return workers.map(({ instance, version, inUse, slots, jobs, startedAtMs, seenAtMs }) => ({
    instance,
    version,
    slots: { inUse, of: slots },
    jobs,
    startedAt: toIsoTime(startedAtMs),
    lastSeenAt: toIsoTime(seenAtMs),
  }));
}

/** How the service is doing now. */
export async function getOverview(
  { store, clock }: Pick<RunsDeps, 'store' | 'clock'>,
  options?: unknown,
): Promise<Overview> {
  checkNoOptions('getOverview', options);
  const call = newCall(clock);
  const [all, { nowMs, pendingSinceMs, databaseBytes }] = await Promise.all([
    store.countRuns(call),
    store.readOverview(call),
  ]);
  const counts = all.filter(({ jobName }) => jobName !== WEBHOOK_JOB);
  const sums = RUN_STATUSES.map((status): [RunStatus, number] => [
    status,
    counts.reduce((sum, job) => sum + Number(job[status]), 0),
  ]);
  return {
    runs: Object.fromEntries(sums) as Record<RunStatus, number>,
    pendingSince: pendingSinceMs === null ? null : toIsoTime(pendingSinceMs),
    databaseBytes,
    at: toIsoTime(nowMs),
  };
}
