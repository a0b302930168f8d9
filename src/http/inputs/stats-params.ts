import * as z from 'zod';
import { STATS_BUCKET_SIZES } from '../../core/stats/stats.ts';
import { single } from './params.ts';

/** The service says what is wrong with it. */
export const sinceParam = z
  .string(single('since', 'since must be a string'))
  .default('1d')
  .meta({
    description:
      'From the bucket of this time on: ISO 8601 with a time zone, or how long ago as a number and one of `ms`, `s`, `m`, `h`, `d`',
    examples: ['1h', '2026-11-27T00:00:00Z'],
  });

const sizes = STATS_BUCKET_SIZES.join(', ');

export const bucketParam = z
  .enum(STATS_BUCKET_SIZES, single('bucket', `bucket must be one of ${sizes}`))
  .default('1h')
  .meta({
    description:
      'The length of a bucket: a minute, an hour or a day in UTC. Minutes are kept for 2 days, hours for 35, days for 400',
  });
