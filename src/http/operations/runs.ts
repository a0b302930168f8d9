import { z } from 'zod';
import { jsonOperation } from '../operation.ts';
import { jobNamesParam, labelsParam, limitParam, offsetParam, runSchema, statusesParam } from '../schemas.ts';

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
      label: labelsParam,
      limit: limitParam,
      offset: offsetParam,
    }),
  },
  output: z.array(runSchema),
  refusals: [],
  act: (durably, { label, ...filter }) => durably.getRuns({ ...filter, labels: label }),
});
