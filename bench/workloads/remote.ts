import { onFreshDatabase } from '../contenders/fresh.ts';
import type { ContenderName } from '../contenders/index.ts';
import { countRequests } from '../contenders/request-count.ts';
import { isCounted, onServer, type ServerAddress } from './on-server.ts';
import { drain, prefill } from './runs.ts';
import type { Workload } from './workload.ts';

const LATENCY_MS = 10;

export const remote: Workload = {
  id: 'remote',
  title: `Remote with ${LATENCY_MS} ms added latency: 200 runs of 5 steps at concurrency 10`,
  method: `The database is a stand-in for a libSQL server in a process of its own, which answers each request ${LATENCY_MS} ms late, or the one that was named on the command line, which answers as it does. Requests are counted where they are sent, over HTTP only; those of the migration are among them.`,
  metrics: [
    { id: 'rate', title: 'runs completed', unit: 'per second' },
    { id: 'requests', title: 'requests to the server, each run, triggers included', unit: 'requests' },
  ],
  run: async (bench) => {
    const runs = bench.pick({ full: 200, quick: 60 });
    await bench.interleave<ContenderName>({
      workload: 'remote',
      contenders: ['durably', 'durably-service', 'coji'],
      rounds: bench.pick({ full: 5, quick: 2 }),
      round: (child, contender) =>
        onServer(bench, { contender, runs, latencyMs: LATENCY_MS }, ({ url, authToken }) =>
          child.call('measure', {
            workload: 'remote',
            contender,
            scale: { url, authToken, runs },
            folder: bench.folder,
          }),
        ),
    });
  },
  measure: async (contender, scale, folder) => {
    const { runs, ...address } = scale as unknown as ServerAddress & { runs: number };
    const requests = countRequests();
    const before = requests();
    const rate = await onFreshDatabase(contender, { folder, ...address, concurrency: 10 }, async (engine) => {
      await prefill(engine, { job: 'fiveSteps', runs });
      return runs / (await drain(engine, runs));
    });
    return { rate, ...(isCounted(address) && { requests: (requests() - before) / runs }) };
  },
};
