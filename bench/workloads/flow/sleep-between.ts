import type { FlowJob } from '../../contenders/flow.ts';
import { onFreshDatabase } from '../../contenders/fresh.ts';
import { drain } from '../runs.ts';
import { inContender } from '../workload.ts';
import { flowOf, prefillFlow } from './flow-of.ts';

const CONCURRENCY = 10;

export const sleepBetween = inContender({
  id: 'sleep-between',
  title: `A step, a sleep of 0 and a step, concurrency ${CONCURRENCY}`,
  method:
    'From the start of the worker to the commit of the last completion; all runs are pending before. The same for runs of two steps, on a database of their own.',
  metrics: [
    { id: 'sleep', title: 'runs with a sleep completed', unit: 'per second' },
    { id: 'steps', title: 'runs of two steps completed', unit: 'per second' },
  ],
  contenders: ['durably', 'durably-service'],
  rounds: { full: 7, quick: 1 },
  scale: { full: { runs: 1_000 }, quick: { runs: 200 } },
  measure: async (contender, { runs }, folder) => {
    const options = {
      folder,
      concurrency: CONCURRENCY,
      expected: { job: 'empty', all: runs, completed: runs },
    } as const;
    const rateOf = async (job: FlowJob) =>
      await onFreshDatabase(contender, options, async (engine) => {
        await prefillFlow(flowOf(engine), { job, runs });
        return runs / (await drain(engine, runs));
      });
    return { sleep: await rateOf('sleepBetween'), steps: await rateOf('twoSteps') };
  },
});
