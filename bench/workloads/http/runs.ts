import { Child } from '../../processes/child.ts';
import type { Served } from '../../protocol.ts';
import { seedAll, seededFile } from '../seeded.ts';
import { SERVED, whileServing } from '../serving.ts';
import type { Workload } from '../workload.ts';

export const httpRuns: Workload = {
  id: 'http-runs',
  title: 'GET /runs?limit=20 with 10,000 and with 1,000,000 runs in the table',
  method:
    'Eight connections; the worker is off. Against a bare Hono route that reads the query and answers a short JSON.',
  metrics: [
    { id: 'small', title: 'requests, 10,000 runs', unit: 'per second' },
    { id: 'large', title: 'requests, 1,000,000 runs', unit: 'per second' },
  ],
  run: async (bench) => {
    const sizes = bench.pick({
      full: { small: 10_000, large: 1_000_000 },
      quick: { small: 10_000, large: 100_000 },
    });
    const durationMs = bench.pick({ full: 3_000, quick: 700 });
    await seedAll(bench, ['durably', 'coji'], Object.values(sizes));
    const load = new Child();
    try {
      await bench.interleave<Served>({
        workload: 'http-runs',
        contenders: SERVED,
        rounds: bench.pick({ full: 5, quick: 2 }),
        round: async (server, contender) => {
          const figures: Record<string, number> = {};
          for (const [size, runs] of Object.entries(sizes)) {
            const file = contender === 'bare' ? undefined : await seededFile(bench, { contender, runs });
            figures[size] = await whileServing(
              bench,
              { server, contender, worker: 'off', file },
              async ({ url, basePath }) => {
                const path = `${basePath}/runs?limit=20`;
                if (contender !== 'bare') await checkAnswer(`${url}${path}`);
                const traffic = { url, path, method: 'GET', connections: 8, durationMs } as const;
                return (await load.call('fire', traffic)).perSecond;
              },
            );
          }
          return figures;
        },
      });
    } finally {
      load.end();
    }
  },
};

async function checkAnswer(url: string): Promise<void> {
  const runs: unknown = await (await fetch(url)).json();
  if (!Array.isArray(runs) || runs.length !== 20) throw new Error('did not answer 20 runs');
}
