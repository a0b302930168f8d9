import * as z from 'zod';
import { guardRun } from '../guard.ts';
import { afterParam, levelParam, limitParam, runIdParam } from '../inputs/params.ts';
import { JsonAnswer } from '../json-answer.ts';
import { jsonOperation } from '../operation.ts';
import { logLineSchema } from '../schemas.ts';

export const logs = jsonOperation({
  name: 'logs',
  method: 'GET',
  path: '/logs',
  summary: "List a run's log lines, oldest first",
  effect: 'read',
  guard: guardRun('logs'),
  input: {
    from: 'query',
    schema: z.object({ runId: runIdParam, level: levelParam, limit: limitParam, after: afterParam }),
  },
  output: z.array(logLineSchema),
  refusals: ['NOT_FOUND'],
  act: async (durably, query) => new JsonAnswer(await durably.asJson.logs(query)),
});
