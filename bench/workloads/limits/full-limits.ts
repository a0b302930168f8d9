import { onFreshDatabase } from '../../contenders/fresh.ts';
import { median } from '../median.ts';
import { inContender } from '../workload.ts';
import { limitsOf } from './keyed-drain.ts';

export const fullLimits = inContender({
  id: 'full-limits',
  title: 'A claim while all limits are full, with 1,000,000 runs behind them',
  method:
    'Two runs of each of 10,000 keys are running, and 100 more of each wait. A worker looks for a run and finds none, again and again; and the same in an empty table, without limits. Medians.',
  metrics: [
    { id: 'full', title: 'a claim, all limits full', unit: 'ms' },
    { id: 'none', title: 'a claim, no runs and no limits', unit: 'ms' },
  ],
  contenders: ['durably', 'durably-service'],
  rounds: { full: 3, quick: 1 },
  scale: {
    full: { keys: 10_000, waiting: 1_000_000, looks: 2_000 },
    quick: { keys: 1_000, waiting: 50_000, looks: 300 },
  },
  measure: async (contender, { keys, waiting, looks }, folder) => {
    const p50 = async (look: () => Promise<unknown>) => {
      const times: number[] = [];
      for (let i = 0; i < looks; i++) {
        const begin = performance.now();
        await look();
        times.push(performance.now() - begin);
      }
      return median(times);
    };
    const all = 2 * keys + waiting;
    const full = await onFreshDatabase(
      contender,
      { folder, hasLimits: true, expected: { job: 'empty', all, completed: 0 } },
      async (engine) => {
        await limitsOf(engine).fill(keys, waiting);
        return await p50(() => limitsOf(engine).look());
      },
    );
    const none = await onFreshDatabase(
      contender,
      { folder, expected: { job: 'empty', all: 0, completed: 0 } },
      async ({ look }) => {
        if (look === undefined) throw new Error('it can not claim once');
        return await p50(look);
      },
    );
    return { full, none };
  },
});
