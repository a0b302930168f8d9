import * as z from 'zod';
import { MAX_FILTER_VALUES, type RunFilter } from '../../core/lists/run-query.ts';
import { MAX_SEARCH_LENGTH, searchFault, timeFault } from '../../core/lists/run-search.ts';
import { type BulkFilter, MAX_BULK } from '../../core/managing/run-bulk.ts';
import { RUN_STATUSES } from '../../core/run.ts';
import { labelsSchema } from '../../core/triggers/labels.ts';
import { knownMembers } from '../../core/validation/issues.ts';
import { expecting } from '../../core/validation/shown-value.ts';
import { listOf, RUN_FILTERS, type ScopeGuard } from '../guard.ts';
import { parentRunIdParam, single, statusParam, storable } from './params.ts';
import { scheduleIdFilterParam } from './schedule-params.ts';

const searched = (name: string, fault: (given: string) => string | undefined) =>
  z
    .string(single(name, `${name} must be a string`))
    .superRefine((given, context) => {
      const message = fault(given);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .optional();

export const createdAfterParam = searched('createdAfter', (given) => timeFault('createdAfter', given)).meta({
  description: 'Only runs that were created after this time: ISO 8601 with a time zone',
  format: 'date-time',
});

export const createdBeforeParam = searched('createdBefore', (given) =>
  timeFault('createdBefore', given),
).meta({
  description: 'Only runs that were created before this time: ISO 8601 with a time zone',
  format: 'date-time',
});

export const searchParam = searched('q', (given) => {
  const fault = searchFault(given);
  return fault === undefined ? undefined : `q ${fault}`;
}).meta({
  description:
    "Only runs in which this text is found: the id or its beginning, the job's name, the idempotency key, the " +
    'concurrency key, the value of a label. Of the newest 10,000 runs that match the rest of the filter, also a part of the input',
  minLength: 1,
  maxLength: MAX_SEARCH_LENGTH,
});

export const countsParam = z
  .enum(['true', 'false'], single('counts', 'counts must be one of true, false'))
  .default('true')
  .meta({ description: 'False to leave the counts out, which are null then' });

export const schedulesParam = z
  .enum(['true', 'false'], single('schedules', 'schedules must be one of true, false'))
  .default('true')
  .meta({ description: 'False to leave the schedules out, which are null then' });

const oneOrMany = <T extends z.ZodType>(value: T, expected: string) =>
  z.union([value, z.array(value).max(MAX_FILTER_VALUES)], expecting(expected)).optional();

const limitFault = expecting(`limit must be a whole number from 1 to ${MAX_BULK}`);

/** The body of a command for many runs. */
export const bulkEnvelope = knownMembers(
  'member of the body',
  {
    jobName: oneOrMany(
      storable('jobName', z.string()),
      `jobName must be a string, or a list of at most ${MAX_FILTER_VALUES} strings`,
    ).meta({ description: 'Only runs of this job, or of one of these' }),
    status: oneOrMany(
      statusParam,
      `status must be one of ${RUN_STATUSES.join(', ')}, or a list of them`,
    ).meta({
      description:
        'Only runs in this status, or in one of these. Runs to which the command does not apply are left out',
    }),
    labels: labelsSchema('labels')
      .optional()
      .meta({ description: 'Only runs that have all of these labels' }),
    createdAfter: createdAfterParam,
    createdBefore: createdBeforeParam,
    parentRunId: parentRunIdParam,
    scheduleId: scheduleIdFilterParam,
    q: searchParam,
    limit: z
      .int(limitFault)
      .min(1, limitFault)
      .max(MAX_BULK, limitFault)
      .optional()
      .meta({ description: `How many runs to change at most, the newest first. ${MAX_BULK} unless given` }),
    all: z
      .boolean(expecting('all must be true or false'))
      .optional()
      .meta({ description: 'True to mean all runs when no other member is given' }),
  },
  'The body must be a JSON object',
)
  .superRefine(({ all, limit, ...named }, context) => {
    // A member that was refused is missing here.
    if (context.issues.length > 0 || all === true || Object.values(named).some(isGiven)) return;
    context.addIssue({ code: 'custom', message: 'The filter is empty: name the runs, or give "all": true' });
  })
  .meta({ id: 'RunCommandFilter' });

function isGiven(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : value !== undefined;
}

type BulkInput = z.output<typeof bulkEnvelope>;

/** Lets `scopeRuns` narrow a command for many runs. It changes only runs that match the caller's filter and the hook's. */
export const guardBulk: ScopeGuard<BulkInput> = {
  hook: 'scopeRuns',
  narrowsBy: RUN_FILTERS,
  filterOf: ({ all, ...filter }) => filter,
  narrow: (given, scope) => {
    const both = {
      jobName: common(listOf(given.jobName), listOf(scope.jobName)),
      status: common(listOf(given.status), listOf(scope.status)),
      labels: { ...given.labels, ...scope.labels },
      createdAfter: timeTextOf(later(given.createdAfter, scope.createdAfter)),
      createdBefore: timeTextOf(earlier(given.createdBefore, scope.createdBefore)),
      parentRunId: scope.parentRunId ?? given.parentRunId,
      scheduleId: scope.scheduleId ?? given.scheduleId,
      q: scope.q ?? given.q,
      limit: Math.min(given.limit ?? MAX_BULK, scope.limit ?? MAX_BULK),
      all: given.all,
    };
    const isContrary =
      Object.entries(given.labels ?? {}).some(([key, value]) => both.labels[key] !== value) ||
      (given.parentRunId ?? both.parentRunId) !== both.parentRunId ||
      (given.scheduleId ?? both.scheduleId) !== both.scheduleId ||
      (given.q ?? both.q) !== both.q;
    // No run can match both.
    return isContrary ? { ...both, status: [] } : both;
  },
};

function common<T>(given: T[] | undefined, scope: T[] | undefined): T[] | undefined {
  if (given === undefined || scope === undefined) return given ?? scope;
  return given.filter((value) => scope.includes(value));
}

type Time = RunFilter['createdAfter'];

function later(one: Time, other: Time): Time {
  if (one === undefined || other === undefined) return one ?? other;
  return new Date(one) > new Date(other) ? one : other;
}

function earlier(one: Time, other: Time): Time {
  return later(one, other) === one ? (other ?? one) : one;
}

/** A time of a filter as text. A hook may return a Date. */
export function timeTextOf(time: Time): string | undefined {
  return time instanceof Date ? time.toISOString() : time;
}

/** The filter for the service. The body was checked, so what is left of it may be empty. */
export function bulkFilterOf(input: BulkInput): BulkFilter {
  return { ...input, all: true };
}
