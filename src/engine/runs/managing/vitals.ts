import type { JobCounts } from '../../../core/managing/managing-store.ts';
import type { JobLine, Vitals } from '../../../core/stats/vitals.ts';
import type { RunsDeps } from '../runs-deps.ts';

/** A monitor gives up after ten seconds or so, and then knows nothing of the process either. */
const ANSWER_WITHIN_MS = 3_000;

type VitalsDeps = Pick<RunsDeps, 'store' | 'registry' | 'worker' | 'feed' | 'clock'>;
type Lines = Pick<Vitals, 'jobs' | 'otherJobs'>;

/** What is being read. Who asks meanwhile waits for the same answer. */
const underWay = new WeakMap<RunsDeps['store'], Promise<Lines>>();

/** What a monitor watches: the instance, and the lines of its jobs. */
export async function getVitals(deps: VitalsDeps): Promise<Vitals> {
  const { store, worker, feed, clock } = deps;
  const lines = underWay.get(store) ?? readLines(deps).finally(() => underWay.delete(store));
  underWay.set(store, lines);
  let stopWaiting = () => {};
  const isLate = new Promise<undefined>((resolve) => {
    stopWaiting = clock.schedule(ANSWER_WITHIN_MS, () => resolve(undefined));
  });
  const answered = await Promise.race([lines.catch(() => undefined), isLate]);
  stopWaiting();
  return {
    slots: worker.slots,
    streams: feed.readers,
    ...(answered ?? { jobs: null, otherJobs: null }),
    database: store.requests(),
  };
}

async function readLines({ store, registry }: VitalsDeps): Promise<Lines> {
  const names = registry.names().sort();
  const [counts, lines] = await Promise.all([store.countRuns(), store.listLines(names)]);
  const countOf = new Map(counts.map((each) => [each.jobName, each]));
  const oldestOf = new Map(lines.map(({ jobName, oldestPendingMs }) => [jobName, oldestPendingMs]));
  const others = counts.filter(({ jobName }) => !names.includes(jobName));
  return {
    jobs: names.map((jobName) => ({
      jobName,
      ...activeOf(countOf.get(jobName)),
      oldestPendingMs: Math.max(0, oldestOf.get(jobName) ?? 0),
    })),
    otherJobs: others.map(activeOf).reduce(sumOf, activeOf(undefined)),
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
