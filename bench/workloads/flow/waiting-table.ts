import { onFreshDatabase } from '../../contenders/fresh.ts';
import type { ContenderName } from '../../contenders/index.ts';
import { triggerAndComplete } from '../latency.ts';
import { median } from '../median.ts';
import { copyOf, seedAll, seededFile } from '../seeded.ts';
import type { Workload } from '../workload.ts';

const CONTENDERS = ['durably', 'durably-service'] as const;

/** Waiting runs must cost neither triggers nor claims anything. */
export const waitingTable: Workload = {
  id: 'waiting-table',
  title: 'Trigger to completed with 1,000,000 waiting runs in the table',
  method:
    'A run without steps is triggered on an idle worker, again and again, in a table full of runs that wait for a time far away and in one that has a single waiting run, in turn; the median of the times from the call to the commit of the completion.',
  metrics: [
    { id: 'none', title: 'trigger to completed, one waiting run', unit: 'ms' },
    { id: 'many', title: 'trigger to completed, 1,000,000 waiting runs', unit: 'ms' },
  ],
  run: async (bench) => {
    const many = bench.pick({ full: 1_000_000, quick: 50_000 });
    const runs = bench.pick({ full: 1_000, quick: 100 });
    await seedAll(bench, CONTENDERS, [1, many], 'waiting');
    await bench.interleave<ContenderName>({
      workload: 'waiting-table',
      contenders: CONTENDERS,
      rounds: bench.pick({ full: 5, quick: 1 }),
      round: async (child, contender) => {
        const p50With = async (seeded: number) => {
          const file = await seededFile(bench, { contender, runs: seeded, state: 'waiting' });
          const { copy, remove } = copyOf(file, { folder: bench.folder, name: `copy-${contender}.db` });
          try {
            const scale = { file: copy, seeded, runs };
            const request = { workload: 'waiting-table', contender, scale, folder: bench.folder };
            return (await child.call('measure', request)).p50 ?? Number.NaN;
          } finally {
            remove();
          }
        };
        return { none: await p50With(1), many: await p50With(many) };
      },
    });
  },
  measure: async (contender, scale, folder) => {
    const { file, seeded, runs } = scale as { file: string; seeded: number; runs: number };
    const expected = { job: 'empty', all: seeded + runs, completed: runs } as const;
    return await onFreshDatabase(contender, { folder, file, expected }, async (engine) => {
      await engine.start();
      const times: number[] = [];
      for (let i = 0; i < runs; i++) times.push(await triggerAndComplete(engine));
      return { p50: median(times) };
    });
  },
};
