import * as z from 'zod';
import { NotFoundError } from '../../core/errors/errors.ts';
import { guardRun } from '../guard.ts';
import { runIdParam } from '../inputs/params.ts';
import { JsonAnswer } from '../json-answer.ts';
import { jsonOperation } from '../operation.ts';
import { runSchema } from '../schemas.ts';

export const run = jsonOperation({
  name: 'run',
  method: 'GET',
  path: '/run',
  summary: 'Get a run',
  effect: 'read',
  guard: guardRun('read'),
  input: { from: 'query', schema: z.object({ runId: runIdParam }) },
  output: runSchema,
  refusals: ['NOT_FOUND'],
  async act(durably, { runId }) {
    const pieces = await durably.asJson.run(runId);
    if (pieces === null) throw new NotFoundError('Run not found');
    return new JsonAnswer(pieces);
  },
});
