import type { JobLine, StoredLine, Vitals } from '../../../core/stats/vitals.ts';
import { checkNoOptions } from '../../../core/validation/known-names.ts';
import { WEBHOOK_JOB } from '../../../core/webhooks/webhooks.ts';
import type { RunsDeps } from '../runs-deps.ts';

/** A monitor gives up after ten seconds or so, and then knows nothing of the process either. */
const ANSWER_WITHIN_MS = 3_000;

type VitalsDeps = Pick<RunsDeps, 'store' | 'registry' | 'worker' | 'feed' | 'clock'>;
type Lines = Pick<Vitals, 'jobs' | 'otherJobs'>;

/** What is being read. Who asks meanwhile waits for the same answer. */
const underWay = new WeakMap<RunsDeps['store'], Promise<Lines>>();

/** What a monitor watches: the instance, and the lines of its jobs. */
export async function getVitals(deps: VitalsDeps, options?: unknown): Promise<Vitals> {
  checkNoOptions('getVitals', options);
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

/** A monitor asks again and again, so this only reads. */
async function readLines({ store, registry }: VitalsDeps): Promise<Lines> {
  const lines = new Map((await store.listLines()).map((line) => [line.jobName, line]));
  const isShown = (name: string) => registry.get(name) !== undefined || name === WEBHOOK_JOB;
  const shown = new Set([...registry.claimedNames(), ...[...lines.keys()].filter(isShown)]);
  const others = [...lines.values()].filter(({ jobName }) => !shown.has(jobName));
  return {
    jobs: [...shown].sort().map((jobName) => ({
      jobName,
      ...activeOf(lines.get(jobName)),
      oldestPendingMs: Math.max(0, lines.get(jobName)?.oldestPendingMs ?? 0),
    })),
    otherJobs: others.map(activeOf).reduce(sumOf, activeOf(undefined)),
  };
}

type Active = Omit<JobLine, 'jobName' | 'oldestPendingMs'>;

function activeOf(line: StoredLine | undefined): Active {
  const { pending = 0, waiting = 0, running = 0 } = line ?? {};
  return { pending, waiting, running };
}

function sumOf(one: Active, other: Active): Active {
  return {
    pending: one.pending + other.pending,
    waiting: one.waiting + other.waiting,
    running: one.running + other.running,
  };
}
