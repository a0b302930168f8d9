import { z } from 'zod';
import { NotFoundError } from '../../core/errors.ts';
import { guardRun } from '../guard.ts';
import { jsonOperation } from '../operation.ts';
import { runIdParam, runSchema } from '../schemas.ts';

export const run = jsonOperation({
  name: 'run',
  method: 'GET',
  path: '/run',
  summary: 'Get a run',
  access: 'read',
  guard: guardRun('read'),
  input: { from: 'query', schema: z.object({ runId: runIdParam }) },
  output: runSchema,
  refusals: ['NOT_FOUND'],
  async act(durably, { runId }) {
    const found = await durably.getRun(runId);
    if (found === null) throw new NotFoundError('Run not found');
    return found;
  },
});
