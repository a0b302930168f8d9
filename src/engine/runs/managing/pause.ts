import type { RunsDeps } from '../runs-deps.ts';

type PauseDeps = Pick<RunsDeps, 'store' | 'registry' | 'worker'>;

/** From now on no process claims a run of the job. @throws {NotFoundError} for an unknown job. */
export async function pauseJob({ store, registry }: PauseDeps, jobName: string): Promise<void> {
  registry.find(jobName);
  await store.setPaused(jobName, true);
}

/** Runs of the job are claimed again. Does nothing if it is not paused. @throws {NotFoundError} for an unknown job. */
export async function resumeJob({ store, registry, worker }: PauseDeps, jobName: string): Promise<void> {
  registry.find(jobName);
  await store.setPaused(jobName, false);
  worker.wake();
}
