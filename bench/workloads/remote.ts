import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { onFreshDatabase } from '../contenders/fresh.ts';
import type { ContenderName } from '../contenders/index.ts';
import { Child } from '../processes/child.ts';
import { drain, prefill } from './runs.ts';
import type { Workload } from './workload.ts';

const LATENCY_MS = 10;

export const remote: Workload = {
  id: 'remote',
  title: `Remote with ${LATENCY_MS} ms added latency: 200 runs of 5 steps at concurrency 10`,
  method: `The database is a stand-in for a libSQL server in a process of its own, which answers each request ${LATENCY_MS} ms late. Requests are counted from the first claim to the last completion.`,
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
      round: async (child, contender) => {
        const folder = mkdtempSync(join(bench.folder, 'sqld-'));
        const server = new Child();
        try {
          const file = join(folder, 'remote.db');
          const url = await server.call('startSqld', { file, latencyMs: LATENCY_MS });
          const figures = await child.call('measure', {
            workload: 'remote',
            contender,
            scale: { url, runs },
            folder: bench.folder,
          });
          const requests = await server.call('stopSqld');
          const stored = await server.call('storedRuns', { contender, file });
          if (stored.completed !== runs)
            throw new Error(`stored ${JSON.stringify(stored)}, expected ${runs}`);
          return { ...figures, requests: requests / runs };
        } finally {
          server.end();
          rmSync(folder, { recursive: true });
        }
      },
    });
  },
  measure: async (contender, scale, folder) => {
    const { url, runs } = scale as { url: string; runs: number };
    return await onFreshDatabase(contender, { folder, url, concurrency: 10 }, async (engine) => {
      await prefill(engine, { job: 'fiveSteps', runs });
      return { rate: runs / (await drain(engine, runs)) };
    });
  },
};
