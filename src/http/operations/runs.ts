import { z } from 'zod';
import { listOf } from '../guard.ts';
import { jsonOperation } from '../operation.ts';
import { jobNamesParam, limitParam, offsetParam, runSchema, statusesParam } from '../schemas.ts';

export const runs = jsonOperation({
  name: 'runs',
  method: 'GET',
  path: '/runs',
  summary: 'List runs, newest first',
  access: 'read',
  guard: {
    hook: 'scopeRuns',
    narrowsBy: ['jobName', 'status'],
    filterOf: (query) => query,
    narrow: (query, { jobName, status, limit = query.limit, offset = query.offset }) => ({
      jobName: listOf(jobName),
      status: listOf(status),
      limit,
      offset,
    }),
  },
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
  async act(durably, filter) {
    // Of getRuns an empty list asks for all; a query can't hold one, only a scope that leaves nothing.
    if (filter.jobName?.length === 0 || filter.status?.length === 0) return [];
    return await durably.getRuns(filter);
  },
});
