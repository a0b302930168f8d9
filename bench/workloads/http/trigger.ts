import { Child } from '../../processes/child.ts';
import type { Served } from '../../protocol.ts';
import { SERVED, TRIGGER_BODY, whileServing } from '../serving.ts';
import type { Workload } from '../workload.ts';

const CONNECTIONS = 32;

export const httpTrigger: Workload = {
  id: 'http-trigger',
  title: `POST /trigger, ${CONNECTIONS} connections`,
  method:
    'A load generator in its own process keeps every connection busy; the server, in its own too, has a new database for each round, and its worker off or on (concurrency 10, runs without steps). Against a bare Hono route that parses the same JSON. Every answer must be a 200 whose run is in the file.',
  metrics: [
    { id: 'off', title: 'requests, worker off', unit: 'per second' },
    { id: 'on', title: 'requests, worker on', unit: 'per second' },
  ],
  run: async (bench) => {
    const durationMs = bench.pick({ full: 4_000, quick: 1_000 });
    const load = new Child();
    try {
      await bench.interleave<Served>({
        workload: 'http-trigger',
        contenders: SERVED,
        rounds: bench.pick({ full: 7, quick: 2 }),
        round: async (server, contender) => {
          const figures: Record<string, number> = {};
          for (const worker of ['off', 'on'] as const) {
            figures[worker] = await whileServing(
              bench,
              { server, contender, worker },
              async ({ url, basePath, file }) => {
                const fired = await load.call('fire', {
                  url,
                  path: `${basePath}/trigger`,
                  method: 'POST',
                  body: TRIGGER_BODY,
                  connections: CONNECTIONS,
                  durationMs,
                });
                if (contender !== 'bare') {
                  const { all } = await load.call('storedRuns', { contender, file });
                  if (all !== fired.answered)
                    throw new Error(`${fired.answered} answers, ${all} runs stored`);
                }
                return fired.perSecond;
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
