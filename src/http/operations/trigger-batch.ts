import * as z from 'zod';
import { triggerBatchEnvelope } from '../inputs/envelopes.ts';
import { jsonOperation } from '../operation.ts';
import { problemSchema } from '../problem.ts';
import { triggeredSchema } from '../schemas.ts';

const refusedSchema = z
  .object({ error: problemSchema })
  .meta({ id: 'RefusedTrigger', description: 'There was a run already, and the caller may not see it' });

const elementSchema = z.union([triggeredSchema, refusedSchema]);

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
    .object({ runs: z.array(elementSchema).meta({ description: 'In the order of the request' }) })
    .meta({ id: 'TriggeredBatch' }),
  refusals: ['NOT_FOUND'],
  async act(durably, { runs }, allowRun, tell) {
    const answers: z.input<typeof elementSchema>[] = [];
    for (const { runId, disposition, toRun } of await durably.batchTriggerForIds(runs)) {
      try {
        if (disposition !== 'created') await allowRun?.(toRun(), 'trigger');
        answers.push({ runId, disposition });
      } catch (error) {
        // The others are stored, and their caller needs their ids.
        answers.push({ error: tell(error) });
      }
    }
    return { runs: answers };
  },
});
