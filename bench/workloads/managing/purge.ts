import { setTimeout as pause } from 'node:timers/promises';
import type { Engine } from '../../contenders/contender.ts';
import { onFreshDatabase } from '../../contenders/fresh.ts';
import type { ContenderName } from '../../contenders/index.ts';
import { copyOf, seedAll, seededFile } from '../seeded.ts';
import type { Workload } from '../workload.ts';

const CONTENDERS = ['durably', 'durably-service'] as const;
const CALLERS = 32;
/** A round may take two minutes. */
const MOST_MS = 45_000;

/** The removal of old runs must not hold up triggers. */
export const purge: Workload = {
  id: 'purge',
  title: 'The removal of 1,000,000 runs while 32 callers trigger',
  method:
    'The worker is off. 32 callers trigger runs, each one after another, first alone and then for as long as purgeRuns removes old runs, 1,000 a call and without a pause, up to 45 seconds. The 99th percentile of the times of a trigger.',
  metrics: [
    { id: 'alone', title: 'a trigger, p99, without a purge', unit: 'ms' },
    { id: 'beside', title: 'a trigger, p99, beside a purge', unit: 'ms' },
    { id: 'longest', title: 'a trigger, the longest, beside a purge', unit: 'ms' },
    { id: 'rate', title: 'runs removed', unit: 'per second' },
  ],
  run: async (bench) => {
    const seeded = bench.pick({ full: 1_000_000, quick: 50_000 });
    const aloneMs = bench.pick({ full: 20_000, quick: 4_000 });
    await seedAll(bench, CONTENDERS, [seeded]);
    await bench.interleave<ContenderName>({
      workload: 'purge',
      contenders: CONTENDERS,
      rounds: bench.pick({ full: 3, quick: 2 }),
      round: async (child, contender) => {
        const original = await seededFile(bench, { contender, runs: seeded });
        const { copy, remove } = copyOf(original, { folder: bench.folder, name: `copy-${contender}.db` });
        try {
          const scale = { file: copy, aloneMs };
          return await child.call('measure', { workload: 'purge', contender, scale, folder: bench.folder });
        } finally {
          remove();
        }
      },
    });
  },
  measure: async (contender, scale, folder) => {
    const { file, aloneMs } = scale as { file: string; aloneMs: number };
    return await onFreshDatabase(contender, { folder, file }, async (engine) => {
      const { purge: purgePortion } = engine;
      if (purgePortion === undefined) throw new Error('it removes no old runs');
      const alone = await timesOf(engine, () => pause(aloneMs));
      let removed = 0;
      const startMs = performance.now();
      const beside = await timesOf(engine, async () => {
        for (let more = true; more && performance.now() - startMs < MOST_MS; ) {
          const portion = await purgePortion();
          removed += portion.count;
          more = portion.more;
        }
      });
      const seconds = (performance.now() - startMs) / 1000;
      return {
        alone: p99(alone),
        beside: p99(beside),
        longest: beside.reduce((longest, each) => Math.max(longest, each), 0),
        rate: removed / seconds,
      };
    });
  },
};

/** The times of triggers by all callers until the work is done, ms. */
async function timesOf(engine: Engine, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  let isOver = false;
  const call = async () => {
    while (!isOver) {
      const begin = performance.now();
      await engine.trigger('empty');
      times.push(performance.now() - begin);
    }
  };
  const callers = Array.from({ length: CALLERS }, call);
  await work();
  isOver = true;
  await Promise.all(callers);
  return times;
}

function p99(times: number[]): number {
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN;
}
