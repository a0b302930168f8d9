import { Child } from '../processes/child.ts';
import type { Served } from '../protocol.ts';
import { type Address, completed, whileServing } from './serving.ts';
import type { Workload } from './workload.ts';

const MB = 1024 * 1024;
/** The smaller scale: this many runs with an output of a megabyte each, and one run with as many results of that size. */
const FEW = 10;

export const largeValues: Workload = {
  id: 'large-values',
  title: 'Lists and streams of values of 1 MB',
  method:
    'One reader. The peak is the resident memory of the server process at its highest, less that before: with few values stored, and with many.',
  metrics: [
    { id: 'runs', title: 'GET /runs', unit: 'MB per second' },
    { id: 'steps', title: 'GET /steps', unit: 'MB per second' },
    { id: 'subscribe', title: 'GET /subscribe', unit: 'MB per second' },
    { id: 'peak few', title: 'peak, 10 MB stored', unit: 'MB' },
    { id: 'peak many', title: 'peak, ten or more times as much stored', unit: 'MB' },
  ],
  run: async (bench) => {
    const many = bench.pick({ full: 400, quick: 100 });
    await bench.interleave<Served>({
      workload: 'large-values',
      contenders: ['durably', 'durably-service'],
      rounds: bench.pick({ full: 3, quick: 1 }),
      warmUp: false,
      round: async (_child, contender) => {
        const few = await inNewProcess((server) => readAll(bench, { server, contender, values: FEW }));
        const figures = await inNewProcess((server) => readAll(bench, { server, contender, values: many }));
        const { runs, steps, subscribe } = figures;
        return { runs, steps, subscribe, 'peak few': few.peak, 'peak many': figures.peak };
      },
    });
  },
};

/** Runs in a new process, since an old one would reuse memory without growing. */
async function inNewProcess<T>(work: (server: Child) => Promise<T>): Promise<T> {
  const server = new Child();
  try {
    return await work(server);
  } finally {
    server.end();
  }
}

type Bench = Parameters<Workload['run']>[0];

async function readAll(
  bench: Bench,
  { server, contender, values }: { server: Child; contender: Served; values: number },
) {
  return await whileServing(
    bench,
    { server, contender, worker: 'on' },
    async ({ url, basePath }: Address) => {
      const base = `${url}${basePath}`;
      for (let i = 0; i < values; i++) await completed(base, { jobName: 'largeOutput', input: { n: MB } });
      const runId = await completed(base, { jobName: 'largeSteps', input: { n: values } });
      const before = (await server.call('memoryKb')) / 1024;
      const rates = {
        runs: await rateOf(`${base}/runs?jobName=largeOutput&limit=1000`),
        steps: await rateOf(`${base}/steps?runId=${runId}`),
        subscribe: await rateOf(`${base}/subscribe?runId=${runId}`),
      };
      return { ...rates, peak: (await server.call('peakMemoryKb')) / 1024 - before };
    },
  );
}

/** The MB per second of an answer that is read as fast as it arrives. */
async function rateOf(url: string): Promise<number> {
  const start = performance.now();
  let bytes = 0;
  const response = await fetch(url);
  if (response.status !== 200) throw new Error(`${url} was answered ${response.status}`);
  for await (const chunk of response.body ?? []) bytes += chunk.length;
  return bytes / MB / ((performance.now() - start) / 1000);
}
