import { setTimeout as pause } from 'node:timers/promises';
import { onFreshDatabase } from '../../contenders/fresh.ts';
import { drain, prefill } from '../runs.ts';
import { inContender } from '../workload.ts';
import { flowOf, prefillFlow } from './flow-of.ts';

const CONCURRENCY = 10;
const LOOK_MS = 50;

export const sleepers = inContender({
  id: 'sleepers',
  title: '10,000 sleepers that are due at once',
  method:
    'Runs of one sleep are executed until all of them wait, and are made due by the tables while the worker is off. From the start of the worker to the commit of the last completion; and the same for as many pending runs without steps, on a database of their own.',
  metrics: [
    { id: 'woken', title: 'sleepers woken and completed', unit: 'per second' },
    { id: 'drained', title: 'pending runs completed', unit: 'per second' },
  ],
  contenders: ['durably', 'durably-service'],
  rounds: { full: 5, quick: 1 },
  scale: { full: { runs: 10_000 }, quick: { runs: 1_000 } },
  measure: async (contender, { runs }, folder) => {
    const options = {
      folder,
      concurrency: CONCURRENCY,
      expected: { job: 'empty', all: runs, completed: runs },
    } as const;
    const woken = await onFreshDatabase(contender, options, async (engine) => {
      const flow = flowOf(engine);
      await prefillFlow(flow, { job: 'sleeper', runs });
      await engine.start();
      while ((await flow.countWaiting()) < runs) await pause(LOOK_MS);
      await engine.stop();
      await flow.makeDue();
      return runs / (await drain(engine, runs));
    });
    const drained = await onFreshDatabase(contender, options, async (engine) => {
      await prefill(engine, { job: 'empty', runs });
      return runs / (await drain(engine, runs));
    });
    return { woken, drained };
  },
});
