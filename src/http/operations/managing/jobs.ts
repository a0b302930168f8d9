import * as z from 'zod';
import { listOf } from '../../guard.ts';
import { jobNamesParam } from '../../inputs/params.ts';
import { countsParam } from '../../inputs/run-filter.ts';
import { jsonOperation } from '../../operation.ts';
import { jobSchema } from '../../schemas.ts';

export const jobs = jsonOperation({
  name: 'jobs',
  method: 'GET',
  path: '/jobs',
  summary:
    'List the registered jobs, with their schemas, their limits, and how many runs they have in each status',
  effect: 'read',
  guard: {
    hook: 'scopeRuns',
    narrowsBy: [
      'jobName',
      'status',
      'labels',
      'parentRunId',
      'scheduleId',
      'createdAfter',
      'createdBefore',
      'q',
    ],
    filterOf: ({ jobName }) => ({ jobName }),
    // The counts are those of all runs of a job, so that a caller who may see only some of them gets none.
    narrow: (query, { jobName, limit, offset, ...others }) => ({
      jobName: listOf(jobName),
      counts: Object.values(others).some((member) => member !== undefined)
        ? ('false' as const)
        : query.counts,
    }),
  },
  input: { from: 'query', schema: z.object({ jobName: jobNamesParam, counts: countsParam }) },
  output: z.array(jobSchema),
  refusals: [],
  act: async (durably, { jobName, counts }) => await durably.getJobs({ jobName, counts: counts === 'true' }),
});
