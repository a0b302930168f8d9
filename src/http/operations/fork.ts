import * as z from 'zod';
import { guardRun } from '../guard.ts';
import { forkEnvelope } from '../inputs/envelopes.ts';
import { fromParam, runIdParam } from '../inputs/params.ts';
import { jsonOperation, queryAndBody } from '../operation.ts';
import { retriggeredSchema } from '../schemas.ts';

export const fork = jsonOperation({
  name: 'fork',
  method: 'POST',
  path: '/fork',
  summary: "Trigger a new run in which the steps before one of an earlier run's steps are already done",
  effect: 'trigger',
  guard: {
    ...guardRun<{ readonly runId: string; readonly input?: unknown }>('fork'),
    triggerOf: ({ jobName, payload, concurrencyKey, labels }, { input = payload }) => ({
      jobName,
      input,
      labels,
      ...(concurrencyKey === null ? {} : { concurrencyKey }),
    }),
  },
  input: queryAndBody(z.object({ runId: runIdParam, from: fromParam }), forkEnvelope),
  output: retriggeredSchema,
  refusals: ['NOT_FOUND'],
  async act(durably, { runId, from, input }) {
    const run = await durably.fork(runId, { from, input });
    return { success: true as const, runId: run.id };
  },
});
