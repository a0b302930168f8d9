import { onFreshDatabase } from '../contenders/fresh.ts';
import { completions, prefill } from './runs.ts';
import { inContender } from './workload.ts';

/** Counts between two completions, so that starting and stopping are not included. */
const FROM = 10;
const TO = 40;

export const statements = inContender({
  id: 'statements',
  title: 'Database statements',
  method: `Counted at the driver (begin and commit are statements) for one trigger, and per run of 5 steps from the ${FROM}th to the ${TO}th of runs executed one at a time.`,
  metrics: [
    { id: 'trigger', title: 'a trigger', unit: 'statements' },
    { id: 'run', title: 'a run of 5 steps', unit: 'statements' },
  ],
  contenders: ['floor', 'durably', 'durably-service', 'openworkflow', 'coji'],
  rounds: { full: 2, quick: 1 },
  scale: { full: {}, quick: {} },
  measure: async (contender, _scale, folder) => {
    const expected = { job: 'fiveSteps', all: TO + 11, completed: TO } as const;
    const options = { folder, concurrency: 1, isCounting: true, expected };
    return await onFreshDatabase(contender, options, async (engine) => {
      await engine.trigger('fiveSteps');
      const before = engine.statements();
      for (let i = 0; i < 10; i++) await engine.trigger('fiveSteps');
      const trigger = (engine.statements() - before) / 10;
      await prefill(engine, { job: 'fiveSteps', runs: TO });
      const counts: number[] = [];
      await completions(engine, { marks: [FROM, TO], note: () => counts.push(engine.statements()) });
      const [from = Number.NaN, to = Number.NaN] = counts;
      return { trigger, run: (to - from) / (TO - FROM) };
    });
  },
});
