import type { Scales } from '../bench.ts';
import type { Job } from '../contenders/contender.ts';
import { onFreshDatabase } from '../contenders/fresh.ts';
import type { ContenderName } from '../contenders/index.ts';
import { drain, prefill } from './runs.ts';
import { inContender } from './workload.ts';

const CONCURRENCY = 10;
const WITH_STEPS = ['floor', 'floor-normal', 'durably', 'durably-service', 'openworkflow', 'coji'] as const;

function draining(options: {
  id: string;
  job: Job;
  what: string;
  contenders: readonly ContenderName[];
  scale: Scales<{ runs: number }>;
}) {
  const { id, job, what, contenders, scale } = options;
  return inContender({
    id,
    title: `Drain ${scale.full.runs} runs ${what}, concurrency ${CONCURRENCY}`,
    method:
      'From the start of the worker to the commit of the last completion; all runs are pending before. The floor takes one run after the other.',
    metrics: [{ id: 'rate', title: 'runs completed', unit: 'per second' }],
    contenders,
    rounds: { full: 7, quick: 3 },
    scale,
    measure: async (contender, { runs }, folder) => {
      const expected = { job, all: runs, completed: runs };
      return await onFreshDatabase(
        contender,
        { folder, expected, concurrency: CONCURRENCY },
        async (engine) => {
          await prefill(engine, { job, runs });
          return { rate: runs / (await drain(engine, runs)) };
        },
      );
    },
  });
}

export const drainEmpty = draining({
  id: 'drain',
  job: 'empty',
  what: 'without steps',
  contenders: [...WITH_STEPS, 'plainjob'],
  scale: { full: { runs: 2_000 }, quick: { runs: 500 } },
});

export const drainSteps = draining({
  id: 'drain-5',
  job: 'fiveSteps',
  what: 'of 5 steps',
  contenders: WITH_STEPS,
  scale: { full: { runs: 500 }, quick: { runs: 150 } },
});

export const backlog = inContender({
  id: 'backlog',
  title: 'The same with a backlog of 10,000 pending runs',
  method:
    'The first runs of 5 steps out of a long backlog and out of one no longer than they are, in turn: what a run costs with the backlog over what it costs without.',
  metrics: [
    { id: 'short', title: 'a run out of a short backlog', unit: 'ms' },
    { id: 'long', title: 'a run out of a long backlog', unit: 'ms' },
  ],
  contenders: ['floor', 'durably', 'durably-service', 'openworkflow', 'coji'],
  rounds: { full: 5, quick: 1 },
  scale: { full: { runs: 500, pending: 10_000 }, quick: { runs: 100, pending: 2_000 } },
  measure: async (contender, { runs, pending }, folder) => {
    const cost = async (all: number) => {
      const expected = { job: 'fiveSteps', all, completed: runs } as const;
      const options = { folder, expected, concurrency: CONCURRENCY };
      return await onFreshDatabase(contender, options, async (engine) => {
        await prefill(engine, { job: 'fiveSteps', runs: all });
        return ((await drain(engine, runs)) * 1000) / runs;
      });
    };
    return { short: await cost(runs), long: await cost(pending) };
  },
});
