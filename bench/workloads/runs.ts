import { setTimeout as pause } from 'node:timers/promises';
import type { Engine, Job } from '../contenders/contender.ts';

const AT_ONCE = 100;
/** An engine that makes no progress for this long is considered stuck. */
const STALLED_MS = 60_000;

/** Stores pending runs while the worker is off. */
export async function prefill(engine: Engine, { job, runs }: { job: Job; runs: number }): Promise<void> {
  for (let stored = 0; stored < runs; stored += AT_ONCE) {
    await engine.triggerMany(job, Math.min(AT_ONCE, runs - stored));
  }
}

/** Starts the worker and resolves at the last mark. Calls `note` whenever the number of completed runs reaches a mark. */
export async function completions(
  engine: Engine,
  { marks, note }: { marks: readonly number[]; note: (completed: number) => void },
): Promise<void> {
  const last = Math.max(...marks);
  let completed = 0;
  const done = new Promise<void>((resolve) => {
    engine.onCompleted = () => {
      completed++;
      if (marks.includes(completed)) note(completed);
      if (completed === last) resolve();
    };
  });
  await engine.start();
  const stalled = new AbortController();
  await Promise.race([done, watchStall(() => completed, stalled.signal)]);
  stalled.abort();
}

async function watchStall(count: () => number, signal: AbortSignal): Promise<void> {
  for (let before = -1; ; ) {
    if (count() === before) throw new Error(`stalled after ${before} completed runs`);
    before = count();
    try {
      await pause(STALLED_MS, undefined, { signal });
    } catch {
      return;
    }
  }
}

/** Executes the first `runs` pending runs and returns the seconds it took. */
export async function drain(engine: Engine, runs: number): Promise<number> {
  const start = performance.now();
  let seconds = Number.NaN;
  await completions(engine, {
    marks: [runs],
    note: () => {
      seconds = (performance.now() - start) / 1000;
    },
  });
  return seconds;
}
