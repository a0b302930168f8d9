import * as z from 'zod';
import { jsonOperation } from '../../operation.ts';
import { overviewSchema, workerSchema } from '../../stats-schemas.ts';

export const workers = jsonOperation({
  name: 'workers',
  method: 'GET',
  path: '/workers',
  summary: 'List the workers of all processes that were seen in the last hour',
  effect: 'read',
  guard: { hook: 'onManage', targetOf: () => ({ operation: 'workers' }) },
  input: { from: 'query', schema: z.object({}) },
  output: z.array(workerSchema),
  refusals: [],
  act: async (durably) =>
    (await durably.getWorkers()).map((worker) => ({ ...worker, jobs: [...worker.jobs] })),
});

export const overview = jsonOperation({
  name: 'overview',
  method: 'GET',
  path: '/overview',
  summary:
    'How many runs are in each status, how long the line has been waiting, and how large the database is',
  effect: 'read',
  guard: { hook: 'onManage', targetOf: () => ({ operation: 'overview' }) },
  input: { from: 'query', schema: z.object({}) },
  output: overviewSchema,
  refusals: [],
  act: async (durably) => await durably.getOverview(),
});
