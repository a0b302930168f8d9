import * as z from 'zod';
import { RUN_STATUSES } from '../core/run.ts';
import { STATS_BUCKET_SIZES } from '../core/stats/stats.ts';

const time = z.iso.datetime();
const ms = z.int().meta({ description: 'In ms' });

const numbersShape = {
  started: z
    .int()
    .meta({ description: 'How often a worker started a try: the first one, a retry, a takeover' }),
  completed: z.int(),
  failed: z.int(),
  cancelled: z.int(),
  duration: z.object({ p50: ms, p95: ms, p99: ms }).nullable().meta({
    description:
      'From the first start of a run to its end, waits included, within 5 %. Of completed and failed runs that no caller has retried',
  }),
};

const seriesShape = {
  total: z.object(numbersShape),
  buckets: z
    .array(z.object({ at: time.meta({ description: 'When it begins' }), ...numbersShape }))
    .meta({ description: 'Oldest first. Buckets in which nothing happened are left out' }),
};

export const statsSchema = z
  .object({
    bucket: z.enum(STATS_BUCKET_SIZES),
    since: time.meta({ description: 'When the first bucket begins' }),
    asOf: time.meta({
      description:
        'All that happened until then is counted. Earlier than now only if the service has to catch up',
    }),
    ...seriesShape,
    jobs: z
      .array(z.object({ jobName: z.string(), ...seriesShape }))
      .meta({ description: 'By name. Jobs to which nothing happened are left out' }),
  })
  .meta({ id: 'Stats' });

export const workerSchema = z
  .object({
    instance: z.string().meta({
      description: 'Another one after each start. Workers on demand share the instance `on-demand`',
    }),
    version: z.string().meta({ description: 'The version of durably' }),
    slots: z.object({
      inUse: z.int().meta({ description: 'How many runs it executed when it was last seen' }),
      of: z.int(),
    }),
    jobs: z.array(z.string()).meta({ description: 'The names of the jobs that it knows' }),
    startedAt: time,
    lastSeenAt: time.meta({ description: 'A worker says about every 20 seconds that it is there' }),
  })
  .meta({ id: 'Worker' });

export const overviewSchema = z
  .object({
    runs: z.object(Object.fromEntries(RUN_STATUSES.map((status) => [status, z.int()]))).meta({
      description: 'How many runs are in each status. The pending ones are the line',
    }),
    pendingSince: time.nullable().meta({
      description:
        'Since when the run has been pending that has been so longest, of the first 1,000 of the line',
    }),
    databaseBytes: z.int().nullable().meta({
      description: 'The size of the database, free pages included. Null if the server does not tell',
    }),
    at: time.meta({ description: "By the database's clock" }),
  })
  .meta({ id: 'Overview' });
