import { z } from 'zod';
import { guardRun } from '../guard.ts';
import { jsonOperation } from '../operation.ts';
import { runIdParam, successSchema } from '../schemas.ts';

export const cancel = jsonOperation({
  name: 'cancel',
  method: 'POST',
  path: '/cancel',
  summary: 'Cancel a pending, waiting or running run',
  access: 'write',
  guard: guardRun('cancel'),
  input: { from: 'query', schema: z.object({ runId: runIdParam }) },
  output: successSchema,
  refusals: ['NOT_FOUND', 'CONFLICT'],
  async act(durably, { runId }) {
    await durably.cancel(runId);
    return { success: true as const };
  },
});
