import { onFreshDatabase } from '../contenders/fresh.ts';
import type { ContenderName } from '../contenders/index.ts';
import { completions, prefill } from './runs.ts';
import type { Workload } from './workload.ts';

const BYTES_PER_MB = 1024 * 1024;
/** The scale for peers. More would take them too long. */
const PEER_RUNS = 10_000;

export const memory: Workload = {
  id: 'memory',
  title: 'Memory after 100,000 runs drained from a backlog',
  method:
    'Resident memory of the process (Node included, nothing forced) at the first and at the last mark of one long drain of runs of 5 steps at concurrency 10, and its live heap after a collection. Peers drain 10,000.',
  metrics: [
    { id: 'early', title: 'resident after 10,000 runs', unit: 'MB' },
    { id: 'late', title: 'resident after 100,000 runs', unit: 'MB' },
    { id: 'early heap', title: 'live heap after 10,000 runs', unit: 'MB' },
    { id: 'late heap', title: 'live heap after 100,000 runs', unit: 'MB' },
  ],
  run: async (bench) => {
    const full = { early: 10_000, late: 100_000 };
    await bench.interleave<ContenderName>({
      workload: 'memory',
      contenders: ['durably', 'durably-service', 'openworkflow', 'coji'],
      rounds: 1,
      warmUp: false,
      roundWithinMs: 15 * 60_000,
      round: async (child, contender) => {
        const isPeer = contender === 'coji' || contender === 'openworkflow';
        const { early, late } = bench.pick({ full, quick: { early: 500, late: 5_000 } });
        const marks = isPeer ? [Math.min(early, PEER_RUNS)] : [early, late];
        const scale = { marks };
        return await child.call('measure', { workload: 'memory', contender, scale, folder: bench.folder });
      },
    });
  },
  measure: async (contender, scale, folder) => {
    const { marks } = scale as { marks: number[] };
    const runs = Math.max(...marks);
    const expected = { job: 'fiveSteps', all: runs, completed: runs } as const;
    return await onFreshDatabase(contender, { folder, expected, concurrency: 10 }, async (engine) => {
      await prefill(engine, { job: 'fiveSteps', runs });
      const figures: Record<string, number> = {};
      await completions(engine, {
        marks,
        note: (completed) => {
          const mark = completed === marks[0] ? 'early' : 'late';
          figures[mark] = process.memoryUsage.rss() / BYTES_PER_MB;
          globalThis.gc?.();
          figures[`${mark} heap`] = process.memoryUsage().heapUsed / BYTES_PER_MB;
        },
      });
      return figures;
    });
  },
};
