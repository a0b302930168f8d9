import * as z from 'zod';
import { scopeJobs } from '../../inputs/job-scope.ts';
import { jobNamesParam } from '../../inputs/params.ts';
import { countsParam, schedulesParam } from '../../inputs/run-filter.ts';
import { jsonOperation } from '../../operation.ts';
import { jobSchema } from '../../schemas.ts';

const query = z.object({ jobName: jobNamesParam, counts: countsParam, schedules: schedulesParam });

export const jobs = jsonOperation({
  name: 'jobs',
  method: 'GET',
  path: '/jobs',
  summary:
    'List the registered jobs, with their schemas, limits and schedules, and how many runs they have in each status',
  effect: 'read',
  // The counts are those of all runs of a job, so that a caller who may see only some of them gets none. Schedules may be those
  // of other callers.
  guard: scopeJobs<z.output<typeof query>>((given) => ({ ...given, counts: 'false', schedules: 'false' })),
  input: { from: 'query', schema: query },
  output: z.array(jobSchema),
  refusals: [],
  act: async (durably, { jobName, counts, schedules }) => {
    const jobs = await durably.getJobs({
      jobName,
      counts: counts === 'true',
      schedules: schedules === 'true',
    });
    // The schema's lists are not readonly.
    return jobs.map((job) => ({ ...job, schedules: job.schedules && [...job.schedules] }));
  },
});
