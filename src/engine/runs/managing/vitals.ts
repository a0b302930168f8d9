import type { JobCounts } from '../../../core/managing/managing-store.ts';
import type { JobLine, Vitals } from '../../../core/stats/vitals.ts';
import type { RunsDeps } from '../runs-deps.ts';

/** What a monitor watches: the instance, and the lines of its jobs. */
export async function getVitals({
  store,
  registry,
  worker,
  feed,
}: Pick<RunsDeps, 'store' | 'registry' | 'worker' | 'feed'>): Promise<Vitals> {
  const names = registry.names().sort();
  const [counts, lines] = await Promise.all([store.countRuns(), store.listLines(names)]);
  const countOf = new Map(counts.map((each) => [each.jobName, each]));
  const oldestOf = new Map(lines.map(({ jobName, oldestPendingMs }) => [jobName, oldestPendingMs]));
  const others = counts.filter(({ jobName }) => !names.includes(jobName));
  return {
    slots: worker.slots,
    streams: feed.readers,
    jobs: names.map((jobName) => ({
      jobName,
      ...activeOf(countOf.get(jobName)),
      oldestPendingMs: Math.max(0, oldestOf.get(jobName) ?? 0),
    })),
    otherJobs: others.map(activeOf).reduce(sumOf, activeOf(undefined)),
    database: store.requests(),
  };
}

type Active = Omit<JobLine, 'jobName' | 'oldestPendingMs'>;

function activeOf(counts: JobCounts | undefined): Active {
  const { pending = 0, waiting = 0, running = 0 } = counts ?? {};
  return { pending: Number(pending), waiting: Number(waiting), running: Number(running) };
}

function sumOf(one: Active, other: Active): Active {
  return {
    pending: one.pending + other.pending,
    waiting: one.waiting + other.waiting,
    running: one.running + other.running,
  };
}
