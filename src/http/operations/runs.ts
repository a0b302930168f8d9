import { z } from 'zod';
import { listOf } from '../guard.ts';
import { jsonOperation } from '../operation.ts';
import { jobNamesParam, labelsParam, limitParam, offsetParam, runSchema, statusesParam } from '../schemas.ts';

export const runs = jsonOperation({
  name: 'runs',
  method: 'GET',
  path: '/runs',
  summary: 'List runs, newest first',
  access: 'read',
  guard: {
    hook: 'scopeRuns',
    narrowsBy: ['jobName', 'status', 'labels'],
    filterOf: ({ label, ...query }) => ({ ...query, labels: label }),
    narrow: (query, { jobName, status, labels, limit = query.limit, offset = query.offset }) => ({
      jobName: listOf(jobName),
      status: listOf(status),
      label: labels,
      limit,
      offset,
    }),
  },
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
  async act(durably, { label, ...filter }) {
    // Of getRuns an empty list asks for all; a query can't hold one, only a scope that leaves nothing.
    if (filter.jobName?.length === 0 || filter.status?.length === 0) return [];
    return await durably.getRuns({ ...filter, labels: label });
  },
});
