import type { Engine } from '../../contenders/contender.ts';
import type { FlowEngine, FlowJob } from '../../contenders/flow.ts';

const AT_ONCE = 100;

export function flowOf({ flow }: Engine): FlowEngine {
  if (flow === undefined) throw new Error('its runs cannot wait');
  return flow;
}

/** Stores pending runs while the worker is off. */
export async function prefillFlow(
  flow: FlowEngine,
  { job, runs }: { job: FlowJob; runs: number },
): Promise<void> {
  for (let stored = 0; stored < runs; stored += AT_ONCE) {
    const count = Math.min(AT_ONCE, runs - stored);
    await Promise.all(Array.from({ length: count }, () => flow.trigger(job)));
  }
}
