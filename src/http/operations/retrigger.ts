import * as z from 'zod';
import { guardRun } from '../guard.ts';
import { runIdParam } from '../inputs/params.ts';
import { jsonOperation } from '../operation.ts';
import { retriggeredSchema } from '../schemas.ts';

export const retrigger = jsonOperation({
  name: 'retrigger',
  method: 'POST',
  path: '/retrigger',
  summary: 'Trigger a new run with the job, payload, concurrency key and labels of an earlier one',
  effect: 'trigger',
  guard: {
    ...guardRun('retrigger'),
    triggerOf: ({ jobName, payload, concurrencyKey, labels }) => ({
      jobName,
      input: payload,
      labels,
      ...(concurrencyKey === null ? {} : { concurrencyKey }),
    }),
  },
  input: { from: 'query', schema: z.object({ runId: runIdParam }) },
  output: retriggeredSchema,
  refusals: ['NOT_FOUND'],
  async act(durably, { runId }) {
    const run = await durably.retrigger(runId);
    return { success: true as const, runId: run.id };
  },
});
