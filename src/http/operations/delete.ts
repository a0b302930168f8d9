import { z } from 'zod';
import { guardRun } from '../guard.ts';
import { jsonOperation } from '../operation.ts';
import { runIdParam, successSchema } from '../schemas.ts';

export const deleteRun = jsonOperation({
  name: 'delete',
  method: 'DELETE',
  path: '/run',
  summary: 'Delete a finished run with its steps, logs and events',
  access: 'write',
  guard: guardRun('delete'),
  input: { from: 'query', schema: z.object({ runId: runIdParam }) },
  output: successSchema,
  refusals: ['NOT_FOUND', 'CONFLICT'],
  async act(durably, { runId }) {
    await durably.deleteRun(runId);
    return { success: true as const };
  },
});
