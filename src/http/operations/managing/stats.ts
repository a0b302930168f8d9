import * as z from 'zod';
import type { StatsSeries } from '../../../core/stats/stats.ts';
import { scopeJobs } from '../../inputs/job-scope.ts';
import { jobNamesParam } from '../../inputs/params.ts';
import { bucketParam, sinceParam } from '../../inputs/stats-params.ts';
import { jsonOperation } from '../../operation.ts';
import { RequestError } from '../../problem.ts';
import { statsSchema } from '../../stats-schemas.ts';

export const stats = jsonOperation({
  name: 'stats',
  method: 'GET',
  path: '/stats',
  summary: 'How often runs were started, how they ended and how long they took, by time and by job',
  effect: 'read',
  guard: scopeJobs(() => {
    throw new RequestError('FORBIDDEN', 'These numbers are those of all runs of a job');
  }),
  input: {
    from: 'query',
    schema: z.object({ jobName: jobNamesParam, since: sinceParam, bucket: bucketParam }),
  },
  output: statsSchema,
  refusals: [],
  act: async (durably, query) => {
    const { jobs, ...all } = await durably.getStats(query);
    return { ...toAnswer(all), jobs: jobs.map(toAnswer) };
  },
});

/** The schema's lists are not readonly. */
function toAnswer<T extends StatsSeries>(series: T) {
  return { ...series, buckets: [...series.buckets] };
}
