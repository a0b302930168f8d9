import { Child } from '../processes/child.ts';
import type { Served } from '../protocol.ts';
import { onServer } from './on-server.ts';
import { completed } from './serving.ts';
import type { Workload } from './workload.ts';

const SIZES = { '10 kB': 10_000, '100 kB': 100_000, '1 MB': 1_000_000 } as const;
const OUTPUT = 'select output from durably_runs where id = ?';

export const remoteAnswers: Workload = {
  id: 'remote-answers',
  title: 'GET /run on a server, by the size of the output',
  method:
    'One reader; the median of its reads. Beside a bare client that reads the same value, uncompressed as durably does, and as Node’s fetch asks for it unless told otherwise. The stand-in takes as long to compress as libsql-server.',
  metrics: Object.keys(SIZES).flatMap((size) => [
    { id: `get ${size}`, title: `GET /run, ${size}`, unit: 'ms' as const },
    { id: `read ${size}`, title: `bare client, ${size}`, unit: 'ms' as const },
    { id: `compressed ${size}`, title: `bare client, ${size}, compressed`, unit: 'ms' as const },
  ]),
  run: async (bench) => {
    const reads = bench.pick({ full: 30, quick: 8 });
    const reader = new Child();
    try {
      await bench.interleave<Served & 'durably-service'>({
        workload: 'remote-answers',
        contenders: ['durably-service'],
        rounds: bench.pick({ full: 3, quick: 1 }),
        round: (server, contender) => {
          const options = { contender, runs: Object.keys(SIZES).length, speed: 'measured' } as const;
          return onServer(bench, options, async ({ url, authToken }) => {
            const base = await server.call('serve', { contender, file: '', url, authToken, worker: 'on' });
            const figures: Record<string, number> = {};
            for (const [size, n] of Object.entries(SIZES)) {
              const id = await completed(base, { jobName: 'largeOutput', input: { n } });
              const bare = { url, authToken, sql: OUTPUT, id, reads };
              figures[`get ${size}`] = await reader.call('timeAnswers', {
                url: `${base}/run?runId=${id}`,
                reads,
              });
              figures[`read ${size}`] = await reader.call('timeReads', { ...bare, encoding: 'identity' });
              figures[`compressed ${size}`] = await reader.call('timeReads', bare);
            }
            await server.call('stopServing');
            return figures;
          });
        },
      });
    } finally {
      reader.end();
    }
  },
};
