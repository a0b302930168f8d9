import { z } from 'zod';
import { type Durably, defineJob, type Run } from '../../../../src/index.ts';
import { job } from '../../../support/jobs.ts';
import { until } from '../../../support/until.ts';

export const double = defineJob({
  name: 'double',
  input: z.object({ n: z.number() }),
  run: (_step, { n }) => ({ twice: 2 * n }),
});

/** The one run that a run has triggered. */
export async function childOf(durably: Durably, parentRunId: string): Promise<Run> {
  return await until(async () => {
    const [child, ...others] = await durably.getRuns({ parentRunId });
    if (others.length > 0) throw new Error('more than one child');
    return child ?? null;
  }, 'a child');
}

/** A job whose one step invokes `double`. */
export function parentOf(child: typeof double) {
  return job('parent', (step) => step.invoke('child', child, { n: 1 }));
}
