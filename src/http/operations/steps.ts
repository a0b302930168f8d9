import * as z from 'zod';
import { guardRun } from '../guard.ts';
import { runIdParam } from '../inputs/params.ts';
import { JsonAnswer } from '../json-answer.ts';
import { jsonOperation } from '../operation.ts';
import { stepSchema } from '../schemas.ts';

export const steps = jsonOperation({
  name: 'steps',
  method: 'GET',
  path: '/steps',
  summary: "List a run's completed and failed steps in order of their index",
  effect: 'read',
  guard: guardRun('steps'),
  input: { from: 'query', schema: z.object({ runId: runIdParam }) },
  output: z.array(stepSchema),
  refusals: ['NOT_FOUND'],
  act: async (durably, { runId }) => new JsonAnswer(await durably.asJson.steps(runId)),
});
