import { onFreshDatabase } from '../contenders/fresh.ts';
import type { ContenderName } from '../contenders/index.ts';
import { drain } from './runs.ts';
import { copyOf, seedAll, seededFile } from './seeded.ts';
import type { Workload } from './workload.ts';

const CONTENDERS = ['floor', 'durably', 'durably-service', 'openworkflow', 'plainjob', 'coji'] as const;

/** Claims, triggers and ends all write to the same indexes, so the whole run is measured too. */
export const fullTable: Workload = {
  id: 'full-table',
  title: 'Claim, trigger, finish with 1,000,000 finished runs in the table',
  method:
    'Runs without steps are triggered one by one, then executed one at a time (a claim and a finish each), in a table full of finished runs and in one that has a single finished run, in turn.',
  metrics: [
    { id: 'trigger empty', title: 'a trigger, empty table', unit: 'ms' },
    { id: 'trigger full', title: 'a trigger, full table', unit: 'ms' },
    { id: 'run empty', title: 'claim and finish, empty table', unit: 'ms' },
    { id: 'run full', title: 'claim and finish, full table', unit: 'ms' },
  ],
  run: async (bench) => {
    const finished = bench.pick({ full: 1_000_000, quick: 100_000 });
    const runs = bench.pick({ full: 1_000, quick: 200 });
    await seedAll(bench, CONTENDERS, [1, finished]);
    await bench.interleave<ContenderName>({
      workload: 'full-table',
      contenders: CONTENDERS,
      rounds: bench.pick({ full: 5, quick: 2 }),
      round: async (child, contender) => {
        const figures: Record<string, number> = {};
        for (const [size, seeded] of [
          ['empty', 1],
          ['full', finished],
        ] as const) {
          const file = await seededFile(bench, { contender, runs: seeded });
          const { copy, remove } = copyOf(file, { folder: bench.folder, name: `copy-${contender}.db` });
          try {
            const scale = { file: copy, seeded, runs };
            const { trigger, run } = await child.call('measure', {
              workload: 'full-table',
              contender,
              scale,
              folder: bench.folder,
            });
            figures[`trigger ${size}`] = trigger ?? Number.NaN;
            figures[`run ${size}`] = run ?? Number.NaN;
          } finally {
            remove();
          }
        }
        return figures;
      },
    });
  },
  measure: async (contender, scale, folder) => {
    const { file, seeded, runs } = scale as { file: string; seeded: number; runs: number };
    const expected = { job: 'empty', all: seeded + runs, completed: seeded + runs } as const;
    const options = { folder, file, concurrency: 1, expected };
    return await onFreshDatabase(contender, options, async (engine) => {
      const start = performance.now();
      for (let i = 0; i < runs; i++) await engine.trigger('empty');
      const trigger = (performance.now() - start) / runs;
      return { trigger, run: ((await drain(engine, runs)) * 1000) / runs };
    });
  },
};
