import { Child } from '../../processes/child.ts';
import type { Served } from '../../protocol.ts';
import { copyOf, seedAll, seededFile } from '../seeded.ts';
import { whileServing } from '../serving.ts';
import type { Workload } from '../workload.ts';

const CONTENDERS = ['durably', 'durably-service'] as const;

/** What a dashboard reads again and again. */
export const operatorReads: Workload = {
  id: 'operator-reads',
  title: 'GET /jobs, GET /stats and a second page of GET /runs with 10,000 and with 1,000,000 runs',
  method:
    'One connection; the worker is off. Before, all runs are counted and all events are added to the stats. The median of the times of an answer.',
  metrics: [
    { id: 'jobs small', title: 'GET /jobs, 10,000 runs', unit: 'ms' },
    { id: 'jobs large', title: 'GET /jobs, 1,000,000 runs', unit: 'ms' },
    { id: 'stats small', title: 'GET /stats, 10,000 runs', unit: 'ms' },
    { id: 'stats large', title: 'GET /stats, 1,000,000 runs', unit: 'ms' },
    { id: 'page small', title: 'GET /runs?cursor, 10,000 runs', unit: 'ms' },
    { id: 'page large', title: 'GET /runs?cursor, 1,000,000 runs', unit: 'ms' },
  ],
  run: async (bench) => {
    const sizes = bench.pick({
      full: { small: 10_000, large: 1_000_000 },
      quick: { small: 10_000, large: 100_000 },
    });
    const reads = bench.pick({ full: 500, quick: 100 });
    await seedAll(bench, CONTENDERS, Object.values(sizes));
    const client = new Child();
    try {
      await bench.interleave<Served>({
        workload: 'operator-reads',
        contenders: CONTENDERS,
        rounds: bench.pick({ full: 5, quick: 2 }),
        round: async (server, contender) => {
          const figures: Record<string, number> = {};
          for (const [size, runs] of Object.entries(sizes)) {
            const seeded = await seededFile(bench, { contender: asEngine(contender), runs });
            const { copy, remove } = copyOf(seeded, { folder: bench.folder, name: `copy-${contender}.db` });
            try {
              await whileServing(
                bench,
                { server, contender, worker: 'off', file: copy },
                async ({ url, basePath }) => {
                  const base = `${url}${basePath}`;
                  await catchUp(base, runs);
                  const paths = { jobs: '/jobs', stats: '/stats', page: await secondPage(base) };
                  for (const [name, path] of Object.entries(paths)) {
                    figures[`${name} ${size}`] = await client.call('timeAnswers', {
                      url: `${base}${path}`,
                      reads,
                    });
                  }
                },
              );
            } finally {
              remove();
            }
          }
          return figures;
        },
      });
    } finally {
      client.end();
    }
  },
};

function asEngine(contender: Served): (typeof CONTENDERS)[number] {
  return contender === 'durably-service' ? contender : 'durably';
}

/** Reads until everything is counted. */
async function catchUp(base: string, runs: number): Promise<void> {
  const startMs = Date.now();
  for (;;) {
    const { asOf, total } = (await (await fetch(`${base}/stats`)).json()) as {
      asOf: string;
      total: { completed: number };
    };
    if (Date.parse(asOf) < startMs) continue;
    if (total.completed !== runs)
      throw new Error(`${total.completed} completed runs in the stats, not ${runs}`);
    return;
  }
}

/** The path of the page after the first. */
async function secondPage(base: string): Promise<string> {
  const link = (await fetch(`${base}/runs?limit=20`)).headers.get('link') ?? '';
  const [, query] = /<[^>?]*(\?[^>]*)>/.exec(link) ?? [];
  if (query === undefined) throw new Error('the first page names no second one');
  return `/runs${query}`;
}
