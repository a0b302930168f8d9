import { z } from 'zod';
import { triggerBatchEnvelope } from '../inputs/envelopes.ts';
import { jsonOperation } from '../operation.ts';
import { triggeredSchema } from '../schemas.ts';

export const triggerBatch = jsonOperation({
  name: 'triggerBatch',
  method: 'POST',
  path: '/trigger/batch',
  summary: 'Trigger up to 1,000 runs, all or none',
  effect: 'trigger',
  guard: {
    hook: 'onTrigger',
    requestsOf: ({ runs }) => runs,
    withKeyScope: ({ runs }, keyScope) => ({ runs: runs.map((run) => ({ ...run, keyScope })) }),
  },
  input: { from: 'body', schema: triggerBatchEnvelope },
  output: z
    .object({ runs: z.array(triggeredSchema).meta({ description: 'In the order of the request' }) })
    .meta({ id: 'TriggeredBatch' }),
  refusals: ['NOT_FOUND'],
  async act(durably, { runs }, allowRun) {
    const triggered = await durably.batchTriggerForIds(runs);
    for (const { disposition, toRun } of triggered)
      if (disposition !== 'created') await allowRun?.(toRun(), 'trigger');
    return { runs: triggered.map(({ runId, disposition }) => ({ runId, disposition })) };
  },
});
