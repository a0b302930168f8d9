import { z } from 'zod';
import { guardRun } from '../guard.ts';
import { jsonOperation } from '../operation.ts';
import { runIdParam, successSchema } from '../schemas.ts';

export const retry = jsonOperation({
  name: 'retry',
  method: 'POST',
  path: '/retry',
  summary: 'Run a failed or cancelled run again. Its finished steps are kept',
  access: 'write',
  guard: guardRun('retry'),
  input: { from: 'query', schema: z.object({ runId: runIdParam }) },
  output: successSchema,
  refusals: ['NOT_FOUND', 'CONFLICT'],
  async act(durably, { runId }) {
    await durably.retry(runId);
    return { success: true as const };
  },
});
