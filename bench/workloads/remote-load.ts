import { onFreshDatabase } from '../contenders/fresh.ts';
import type { ContenderName } from '../contenders/index.ts';
import { countRequests } from '../contenders/request-count.ts';
import type { Figures } from '../protocol.ts';
import { isCounted, onServer, type ServerAddress } from './on-server.ts';
import { completions } from './runs.ts';
import type { Workload } from './workload.ts';

const CALLERS = 32;
const AT_ONCE = [10, 50] as const;

export const remoteLoad: Workload = {
  id: 'remote-load',
  title: `A busy server: ${CALLERS} callers trigger 1,500 runs of 5 steps, ten and fifty at once`,
  method: `Each caller triggers its next run when the last one is stored; the worker is on. From the first trigger to the last completion. The stand-in takes as long for a request as libsql-server does nearby. The loop is written by hand for this, and has one batch under way; it keeps no journal.`,
  metrics: AT_ONCE.flatMap((slots) => [
    { id: `rate ${slots}`, title: `runs completed, ${slots} at once`, unit: 'per second' as const },
    { id: `requests ${slots}`, title: `requests, each run, ${slots} at once`, unit: 'requests' as const },
  ]),
  run: async (bench) => {
    const runs = bench.pick({ full: 1_500, quick: 300 });
    await bench.interleave<ContenderName>({
      workload: 'remote-load',
      contenders: ['loop', 'durably-service'],
      rounds: bench.pick({ full: 5, quick: 2 }),
      round: async (child, contender) => {
        let figures: Figures = {};
        for (const slots of AT_ONCE) {
          const own = await onServer(bench, { contender, runs, speed: 'measured' }, ({ url, authToken }) =>
            child.call('measure', {
              workload: 'remote-load',
              contender,
              scale: { url, authToken, runs, slots },
              folder: bench.folder,
            }),
          );
          figures = { ...figures, ...own };
        }
        return figures;
      },
    });
  },
  measure: async (contender, scale, folder) => {
    const { runs, slots, ...address } = scale as unknown as ServerAddress & { runs: number; slots: number };
    const requests = countRequests();
    return await onFreshDatabase(contender, { folder, ...address, concurrency: slots }, async (engine) => {
      let left = runs;
      const call = async () => {
        while (left-- > 0) await engine.trigger('fiveSteps');
      };
      const before = requests();
      const start = performance.now();
      const completed = completions(engine, { marks: [runs], note: () => undefined });
      await Promise.all([completed, ...Array.from({ length: CALLERS }, call)]);
      const seconds = (performance.now() - start) / 1000;
      return {
        [`rate ${slots}`]: runs / seconds,
        ...(isCounted(address) && { [`requests ${slots}`]: (requests() - before) / runs }),
      };
    });
  },
};
