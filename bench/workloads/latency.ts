import { setTimeout as pause } from 'node:timers/promises';
import type { Engine } from '../contenders/contender.ts';
import { onFreshDatabase } from '../contenders/fresh.ts';
import { median } from './median.ts';
import { inContender } from './workload.ts';

const ANSWER_WITHIN_MS = 20_000;

export const latency = inContender({
  id: 'latency',
  title: 'Trigger to completed on an idle worker, default settings',
  method:
    'A run without steps is triggered after a random pause of up to a second (so that who polls is met at any moment of its wait), each contender with its own default settings; the median of the times from the call to the commit of its completion. The floor commits its three statements after the same pauses.',
  metrics: [{ id: 'p50', title: 'trigger to completed, p50', unit: 'ms' }],
  contenders: ['floor', 'durably', 'durably-service', 'openworkflow', 'plainjob', 'coji'],
  rounds: { full: 3, quick: 1 },
  scale: { full: { runs: 25 }, quick: { runs: 5 } },
  measure: async (contender, { runs }, folder) => {
    const expected = { job: 'empty', all: runs, completed: runs } as const;
    return await onFreshDatabase(contender, { folder, expected }, async (engine) => {
      await engine.start();
      const times: number[] = [];
      for (let i = 0; i < runs; i++) {
        await pause(20 + Math.random() * 1_000);
        times.push(await triggerAndComplete(engine));
      }

      return { p50: median(times) };
    });
  },
});

/** From the call of the trigger to the commit of the run's completion, ms. */
export async function triggerAndComplete(engine: Engine): Promise<number> {
  return await completeAfter(engine, () => engine.trigger('empty'));
}

/** From the call to the commit of the completion that it causes, ms. */
export async function completeAfter(engine: Engine, call: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  const completed = new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('did not complete')), ANSWER_WITHIN_MS);
    engine.onCompleted = () => {
      clearTimeout(timer);
      resolve(performance.now() - start);
    };
  });
  await call();
  return await completed;
}
