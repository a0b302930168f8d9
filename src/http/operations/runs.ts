import { z } from 'zod';
import { jsonOperation } from '../operation.ts';
import { jobNamesParam, limitParam, offsetParam, runSchema, statusesParam } from '../schemas.ts';

export const runs = jsonOperation({
  name: 'runs',
  method: 'GET',
  path: '/runs',
  summary: 'List runs, newest first',
  access: 'read',
  input: {
    from: 'query',
    schema: z.object({
      jobName: jobNamesParam,
      status: statusesParam,
      limit: limitParam,
      offset: offsetParam,
    }),
  },
  output: z.array(runSchema),
  refusals: [],
  act: (durably, filter) => durably.getRuns(filter),
});
