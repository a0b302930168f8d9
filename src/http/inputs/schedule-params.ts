import * as z from 'zod';
import { MAX_KEY_LENGTH } from '../../core/run.ts';
import { MISSED_POLICIES, OVERLAP_POLICIES } from '../../core/schedules/schedule.ts';
import { knownMembers } from '../../core/validation/issues.ts';
import { expecting } from '../../core/validation/shown-value.ts';
import { duration, jobNameMember, labelsMember, priorityMember } from './envelopes.ts';
import { required, single, storable } from './params.ts';

export const scheduleIdParam = storable(
  'id',
  required('id', 'id query parameter is required').max(
    MAX_KEY_LENGTH,
    expecting(`id must have 1 to ${MAX_KEY_LENGTH} characters`),
  ),
).meta({ description: "The schedule's id" });

export const scheduleIdFilterParam = storable(
  'scheduleId',
  z.string(single('scheduleId', 'scheduleId must be a string')).min(1, 'scheduleId must not be empty'),
)
  .optional()
  .meta({ description: 'Lists only runs that this schedule has made' });

/** The service says what is wrong with a text. */
const text = (name: string, expected: string) =>
  storable(name, z.string(expecting(`${name} must be ${expected}`)))
    .nullish()
    .transform((given) => given ?? undefined);

const policy = <const T extends readonly [string, ...string[]]>(name: string, policies: T) =>
  z
    .enum(policies, expecting(`${name} must be one of ${policies.join(', ')}`))
    .nullish()
    .transform((given) => given ?? undefined);

/** The body of a schedule. Its id is in the query. */
export const scheduleEnvelope = knownMembers(
  'member of the body',
  {
    jobName: jobNameMember,
    input: z.unknown().optional().meta({ description: 'The input of each run. `{}` unless given' }),
    cron: text('cron', 'a cron expression').meta({
      description:
        'When the slots are: five fields, six with seconds, or a nickname such as `@daily`. Either this or `every`',
      examples: ['30 2 * * *', '@daily'],
    }),
    every: duration('every').meta({
      description:
        'The time between two slots, at least a second: ms, or a number and one of `ms`, `s`, `m`, `h`, `d`. Counted from `startAt`, or from when the schedule was stored',
      examples: ['5m'],
    }),
    timezone: text('timezone', 'an IANA time zone').meta({
      description: 'The IANA time zone of `cron`. `UTC` unless given',
      examples: ['Europe/Berlin'],
    }),
    missed: policy('missed', MISSED_POLICIES).meta({
      description:
        'What becomes of slots that no worker fired in time: none gets a run (`skip`), the latest one does (`once`), or each of the latest 1,000 does (`all`). `skip` unless given',
    }),
    overlap: policy('overlap', OVERLAP_POLICIES).meta({
      description:
        'What a slot does while an earlier run of the schedule is active: it makes its run (`allow`), makes none (`skip`), or cancels that run first (`cancel`). `allow` unless given',
    }),
    startAt: text('startAt', 'an ISO 8601 time with a time zone').meta({
      description: 'No slot is before it: ISO 8601 with a time zone',
      format: 'date-time',
    }),
    endAt: text('endAt', 'an ISO 8601 time with a time zone').meta({
      description: 'All slots are before it: ISO 8601 with a time zone',
      format: 'date-time',
    }),
    labels: labelsMember,
    priority: priorityMember,
  },
  'The body must be a JSON object',
).meta({ id: 'ScheduleRequest' });
