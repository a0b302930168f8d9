import { setTimeout as pause } from 'node:timers/promises';
import { onFreshDatabase } from '../../contenders/fresh.ts';
import { completeAfter, triggerAndComplete } from '../latency.ts';
import { median } from '../median.ts';
import { inContender } from '../workload.ts';
import { flowOf } from './flow-of.ts';

const LOOK_MS = 5;

export const signalled = inContender({
  id: 'signalled',
  title: 'Signal to completed on an idle worker, default settings',
  method:
    'A run waits for a signal, which is sent after a random pause of up to a second; the median of the times from the call to the commit of the completion. In turn with runs without steps, from the call of the trigger.',
  metrics: [
    { id: 'signal', title: 'signal to completed, p50', unit: 'ms' },
    { id: 'trigger', title: 'trigger to completed, p50', unit: 'ms' },
  ],
  contenders: ['durably', 'durably-service'],
  rounds: { full: 3, quick: 1 },
  scale: { full: { runs: 25 }, quick: { runs: 5 } },
  measure: async (contender, { runs }, folder) => {
    const expected = { job: 'empty', all: 2 * runs, completed: 2 * runs } as const;
    return await onFreshDatabase(contender, { folder, expected }, async (engine) => {
      const flow = flowOf(engine);
      await engine.start();
      const signals: number[] = [];
      const triggers: number[] = [];
      for (let i = 0; i < runs; i++) {
        const runId = await flow.trigger('approval');
        while ((await flow.countWaiting()) === 0) await pause(LOOK_MS);
        await pause(20 + Math.random() * 1_000);
        signals.push(await completeAfter(engine, () => flow.signal(runId)));
        await pause(20 + Math.random() * 1_000);
        triggers.push(await triggerAndComplete(engine));
      }
      return { signal: median(signals), trigger: median(triggers) };
    });
  },
});
