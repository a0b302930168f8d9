import { onFreshDatabase } from '../contenders/fresh.ts';
import { inContender } from './workload.ts';

const CONTENDERS = [
  'floor',
  'floor-normal',
  'durably',
  'durably-service',
  'openworkflow',
  'plainjob',
  'coji',
] as const;
const METRICS = [{ id: 'rate', title: 'runs triggered', unit: 'per second' }] as const;

function triggering({ id, callers, title }: { id: string; callers: number; title: string }) {
  return inContender({
    id,
    title,
    method: `${callers === 1 ? 'One caller triggers' : `${callers} callers trigger`} runs, each waiting for its answer; the worker is off.`,
    metrics: METRICS,
    contenders: CONTENDERS,
    rounds: { full: 9, quick: 3 },
    scale: { full: { runs: 2_000 }, quick: { runs: 480 } },
    measure: async (contender, { runs }, folder) => {
      const expected = { job: 'empty', all: runs, completed: 0 } as const;
      return await onFreshDatabase(contender, { folder, expected }, async (engine) => {
        const start = performance.now();
        let triggered = 0;
        const caller = async () => {
          while (triggered < runs) {
            triggered++;
            await engine.trigger('empty');
          }
        };
        await Promise.all(Array.from({ length: callers }, caller));
        return { rate: runs / ((performance.now() - start) / 1000) };
      });
    },
  });
}

export const enqueueOne = triggering({ id: 'enqueue', callers: 1, title: 'Enqueue, one caller at a time' });
export const enqueueMany = triggering({
  id: 'enqueue-32',
  callers: 32,
  title: 'Enqueue, 32 concurrent callers',
});

const BATCH = 100;

export const batch = inContender({
  id: 'batch',
  title: `batchTrigger of ${BATCH}`,
  method: `Batches of ${BATCH} one after the other; the floor and openworkflow, which have none, trigger one by one.`,
  metrics: METRICS,
  contenders: CONTENDERS,
  rounds: { full: 9, quick: 3 },
  scale: { full: { batches: 40 }, quick: { batches: 8 } },
  measure: async (contender, { batches }, folder) => {
    const expected = { job: 'empty', all: batches * BATCH, completed: 0 } as const;
    return await onFreshDatabase(contender, { folder, expected }, async (engine) => {
      const start = performance.now();
      for (let i = 0; i < batches; i++) await engine.triggerMany('empty', BATCH);
      return { rate: (batches * BATCH) / ((performance.now() - start) / 1000) };
    });
  },
});
