import type { Engine } from '../../contenders/contender.ts';
import { onFreshDatabase } from '../../contenders/fresh.ts';
import type { LimitsEngine } from '../../contenders/limits.ts';
import { drain, prefill } from '../runs.ts';
import { inContender } from '../workload.ts';

const CONCURRENCY = 10;

export function limitsOf({ limits }: Engine): LimitsEngine {
  if (limits === undefined) throw new Error('its jobs have no limits');
  return limits;
}

export const keyedDrain = inContender({
  id: 'keyed-drain',
  title: '10,000 pending runs with two at once for each of 100 keys',
  method:
    'From the start of the worker to the commit of the last completion; all runs are pending before, in turn of the keys. The same for runs of a job without limits, on a database of their own.',
  metrics: [
    { id: 'keyed', title: 'runs with a limit by key completed', unit: 'per second' },
    { id: 'free', title: 'runs without limits completed', unit: 'per second' },
  ],
  contenders: ['durably', 'durably-service'],
  rounds: { full: 5, quick: 1 },
  scale: { full: { runs: 10_000, keys: 100 }, quick: { runs: 2_000, keys: 20 } },
  measure: async (contender, { runs, keys }, folder) => {
    const options = {
      folder,
      concurrency: CONCURRENCY,
      expected: { job: 'empty', all: runs, completed: runs },
    } as const;
    const keyed = await onFreshDatabase(contender, { ...options, hasLimits: true }, async (engine) => {
      await limitsOf(engine).triggerKeyed(runs, keys);
      return runs / (await drain(engine, runs));
    });
    const free = await onFreshDatabase(contender, options, async (engine) => {
      await prefill(engine, { job: 'empty', runs });
      return runs / (await drain(engine, runs));
    });
    return { keyed, free };
  },
});
