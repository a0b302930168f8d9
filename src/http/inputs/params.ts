import * as z from 'zod';
import {
  DEFAULT_LIST_LIMIT,
  MAX_FILTER_VALUES,
  MAX_LIST_LIMIT,
  MAX_LIST_OFFSET,
} from '../../core/lists/run-query.ts';
import { LOG_LEVELS } from '../../core/log-line.ts';
import { RUN_FIELDS, RUN_STATUSES } from '../../core/run.ts';
import { isStorableText, WITHOUT_NUL } from '../../core/text.ts';
import { LABEL_KEY, labelsSchema } from '../../core/triggers/labels.ts';
import { nearestName } from '../../core/validation/known-names.ts';
import { notThis, shownValue } from '../../core/validation/shown-value.ts';

// Each message names its parameter, because it is shown alone.

export const storable = <T extends z.ZodType<string>>(name: string, text: T) =>
  text
    .refine(isStorableText, {
      error: ({ input }) => `${name} must not hold a NUL or a lone surrogate, as ${shownValue(input)} does`,
    })
    .meta({ pattern: WITHOUT_NUL });

/** The message for a parameter that was repeated or is otherwise invalid. */
export const single = (name: string, otherwise: string) => ({
  error: ({ input }: { readonly input?: unknown }) =>
    Array.isArray(input) ? onceFault(name, input.length) : `${otherwise}${notThis(input)}`,
});

/** The message for a parameter that was repeated. */
export const onceFault = (name: string, times: number) => `${name} must be given once, not ${times} times`;

/** A text that has to be given. */
export const required = (name: string, missing: string) =>
  z
    .string({
      error: ({ input }) => (Array.isArray(input) ? onceFault(name, input.length) : missing),
    })
    .min(1, missing);

const oneOf = (name: string, values: readonly string[]) => ({
  error: ({ input }: { readonly input?: unknown }) => {
    const meant = typeof input === 'string' ? nearestName(input, values) : undefined;
    const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
    return `${single(name, `${name} must be one of ${values.join(', ')}`).error({ input })}${hint}`;
  },
});

/** A whole number in a query: digits only. */
const wholeNumber = (name: string, bounds: { readonly min: number; readonly max: number }) => {
  const error = single(name, `${name} must be a whole number from ${bounds.min} to ${bounds.max}`);
  return z
    .string(error)
    .regex(/^\d{1,16}$/, error)
    .transform(Number)
    .pipe(z.int(error).min(bounds.min, error).max(bounds.max, error));
};

const sequence = (name: string) => wholeNumber(name, { min: 0, max: Number.MAX_SAFE_INTEGER });

const atMost = (name: string, times: number) => ({
  error: ({ input }: { readonly input?: unknown }) =>
    `${name} may be given at most ${times} times, not ${(input as readonly unknown[]).length}`,
});

const repeated = <T extends z.ZodType>(name: string, value: T) =>
  z.array(value).max(MAX_FILTER_VALUES, atMost(name, MAX_FILTER_VALUES)).optional();

export const runIdParam = storable('runId', required('runId', 'runId query parameter is required')).meta({
  description: "The run's id",
});

export const jobNameParam = storable('jobName', required('jobName', 'jobName is required')).meta({
  description: 'The name of the job',
});

export const jobNamesParam = repeated(
  'jobName',
  storable('jobName', z.string().min(1, 'jobName must not be empty')),
).meta({ description: 'Lists only runs of this job. May be repeated' });

/** Clients of @coji/durably say `leased` for running. */
export const statusParam = z
  .string()
  .transform((given) => (given === 'leased' ? 'running' : given))
  .pipe(z.enum(RUN_STATUSES, oneOf('status', RUN_STATUSES)));

export const statusesParam = repeated('status', statusParam).meta({
  description: 'Lists only runs in this status. May be repeated. `leased` means `running`',
});

export const parentRunIdParam = storable(
  'parentRunId',
  z.string(single('parentRunId', 'parentRunId must be a string')).min(1, 'parentRunId must not be empty'),
)
  .optional()
  .meta({ description: 'Lists only runs that a step of this run triggered' });

export const labelsParam = labelsSchema('label')
  .optional()
  .meta({
    description:
      'Lists only runs that have this label: `label.<key>=<value>`. If several labels are given, a run must have all of them. ' +
      'Each property is a parameter with its whole name: `label.org=7`, not `label[org]=7`',
    examples: [{ 'label.org': '7' }],
    // Keyed by the parameter's prefix.
    propertyNames: { type: 'string', pattern: `^label\\.${LABEL_KEY.source.slice(1)}` },
  });

export const limitParam = wholeNumber('limit', { min: 1, max: MAX_LIST_LIMIT }).default(DEFAULT_LIST_LIMIT);
export const offsetParam = wholeNumber('offset', { min: 0, max: MAX_LIST_OFFSET }).default(0);
export const cursorParam = z.string(single('cursor', 'cursor must be a string')).optional().meta({
  description:
    'Continues after an earlier page. The `Link` header of that page has the value. Cannot be combined with `offset`',
});

export const fieldsParam = z
  .array(z.enum(RUN_FIELDS, oneOf('fields', RUN_FIELDS)))
  .max(RUN_FIELDS.length, atMost('fields', RUN_FIELDS.length))
  .optional()
  .meta({
    description:
      'Returns only these fields of each run. Use it to leave out `payload` and `output`, which may be large. May be repeated, or separated by commas',
  });

export const levelParam = z.enum(LOG_LEVELS, oneOf('level', LOG_LEVELS)).optional();
export const afterParam = sequence('after')
  .optional()
  .meta({ description: 'Returns only lines after the line with this `sequence`' });
export const lastEventIdParam = sequence('lastEventId')
  .optional()
  .meta({ description: 'Streams only events after the event with this `sequence`' });

/** The longest time for a tick. Cron services wait a few minutes at most. */
export const tickTimeoutParam = wholeNumber('timeoutMs', { min: 1, max: 300_000 })
  .default(20_000)
  .meta({ description: 'When this time is up, running runs are handed back at their next step. In ms' });

export const fromParam = storable('from', required('from', 'from query parameter is required')).meta({
  description: 'The name of the step from which the new run goes on',
});
