import { z } from 'zod';
import { LABEL_KEY, labelsSchema } from '../core/labels.ts';
import {
  DEFAULT_LIST_LIMIT,
  MAX_FILTER_VALUES,
  MAX_KEY_LENGTH,
  MAX_LIST_LIMIT,
  MAX_LIST_OFFSET,
  MAX_PRIORITY,
  RUN_FIELDS,
  RUN_STATUSES,
} from '../core/run.ts';
import { LOG_LEVELS } from '../core/step.ts';
import { isStorableText, signalNameFault, WITHOUT_NUL } from '../core/text.ts';
import { type Duration, shownValue } from '../core/time/duration.ts';
import { knownMembers } from '../core/validation/issues.ts';
import { nearestName } from '../core/validation/known-names.ts';

// Each message names its parameter, because it is shown alone.

export const storable = <T extends z.ZodType<string>>(name: string, text: T) =>
  text.refine(isStorableText, `${name} holds a NUL or a lone surrogate`).meta({ pattern: WITHOUT_NUL });

/** The message for a parameter that was repeated or is otherwise invalid. */
export const single = (name: string, otherwise: string) => ({
  error: ({ input }: { readonly input?: unknown }) =>
    Array.isArray(input) ? `${name} must be given once` : otherwise,
});

const oneOf = (name: string, values: readonly string[]) => ({
  error: ({ input }: { readonly input?: unknown }) => {
    const meant = typeof input === 'string' ? nearestName(input, values) : undefined;
    const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
    return single(name, `${name} must be one of ${values.join(', ')}${hint}`).error({ input });
  },
});

/** A whole number in a query: digits only. */
const wholeNumber = (name: string, bounds: { readonly min: number; readonly max: number }) => {
  const error = `${name} must be a whole number from ${bounds.min} to ${bounds.max}`;
  return z
    .string(single(name, error))
    .regex(/^\d{1,16}$/, error)
    .transform(Number)
    .pipe(z.int(error).min(bounds.min, error).max(bounds.max, error));
};

const sequence = (name: string) => wholeNumber(name, { min: 0, max: Number.MAX_SAFE_INTEGER });

const repeated = <T extends z.ZodType>(name: string, value: T) =>
  z.array(value).max(MAX_FILTER_VALUES, `${name} may be given at most ${MAX_FILTER_VALUES} times`).optional();

const missingRunId = 'runId query parameter is required';

export const runIdParam = storable(
  'runId',
  z
    .string({ error: ({ input }) => (Array.isArray(input) ? 'runId must be given once' : missingRunId) })
    .min(1, missingRunId),
).meta({ description: "The run's id" });

export const jobNameParam = storable(
  'jobName',
  z
    .string({
      error: ({ input }) => (Array.isArray(input) ? 'jobName must be given once' : 'jobName is required'),
    })
    .min(1, 'jobName is required'),
).meta({ description: 'The name of the job' });

export const jobNamesParam = repeated(
  'jobName',
  storable('jobName', z.string().min(1, 'jobName must not be empty')),
).meta({ description: 'Lists only runs of this job. May be repeated' });

/** Clients of @coji/durably say `leased` for running. */
const statusParam = z
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
export const cursorParam = z.string({ error: 'cursor must be given once' }).optional().meta({
  description:
    'Continues after an earlier page. The `Link` header of that page has the value. Cannot be combined with `offset`',
});

export const fieldsParam = z
  .array(z.enum(RUN_FIELDS, oneOf('fields', RUN_FIELDS)))
  .max(RUN_FIELDS.length, `fields may be given at most ${RUN_FIELDS.length} times`)
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

const key = (name: string) => {
  const error = `${name} must be a string of 1 to ${MAX_KEY_LENGTH} characters`;
  return storable(name, z.string(error).min(1, error).max(MAX_KEY_LENGTH, error))
    .nullish()
    .transform((given) => given ?? undefined);
};

/** The service says what is wrong with a text or a number. */
export const duration = (name: string) =>
  z
    .union([z.number(), z.string()], `${name} must be a duration, such as 500 (ms) or "30s"`)
    .nullish()
    .transform((given) => (given ?? undefined) as Duration | undefined);

const priorityFault = {
  error: ({ input }: { readonly input?: unknown }) =>
    `priority must be a whole number from -${MAX_PRIORITY} to ${MAX_PRIORITY}, not ${shownValue(input)}`,
};

export const priorityMember = z
  .int(priorityFault)
  .min(-MAX_PRIORITY, priorityFault)
  .max(MAX_PRIORITY, priorityFault)
  .nullish()
  .transform((given) => given ?? undefined)
  .meta({
    description:
      'Of the runs that could be started, those of a higher priority come first, then those that were triggered first. 0 unless given',
  });

export const labelsMember = labelsSchema('labels')
  .nullish()
  .transform((given) => given ?? undefined)
  .meta({ description: 'Names and values to find the run by. Lists and streams filter by them' });

const missingJobName = 'jobName is required';

export const jobNameMember = storable(
  'jobName',
  z
    .string({ error: ({ input }) => (input == null ? missingJobName : 'jobName must be a string') })
    .min(1, missingJobName),
);

/** The body of a trigger. The job's own schema validates `input`. */
export const triggerEnvelope = knownMembers(
  'member of the body',
  {
    jobName: jobNameMember,
    input: z.unknown().default({}),
    idempotencyKey: key('idempotencyKey').meta({
      description:
        "Unique per job. A second trigger with the same key returns the first trigger's run and starts no other",
    }),
    concurrencyKey: key('concurrencyKey').meta({
      description: 'Runs with this key run one at a time, in the order of their triggers',
    }),
    labels: labelsMember,
    delay: duration('delay').meta({
      description:
        'The run waits for so long: ms, or a number and one of `ms`, `s`, `m`, `h`, `d`. Not with `runAt`',
      examples: [500, '30s', '2h'],
    }),
    runAt: z
      .string('runAt must be an ISO 8601 time with a time zone')
      .nullish()
      .transform((given) => given ?? undefined)
      .meta({ description: 'The run waits until then: ISO 8601 with a time zone', format: 'date-time' }),
    priority: priorityMember,
    ttl: duration('ttl').meta({
      description:
        'The run fails if it has not been started so long after it was due: a duration as in `delay`',
      examples: ['10m'],
    }),
    timeout: duration('timeout').meta({
      description:
        "How long the run may take from its first start to its end, its waits and retries included: a duration as in `delay`. The job's own unless given",
      examples: ['2h'],
    }),
  },
  'The body must be a JSON object',
).meta({ id: 'TriggerRequest' });

const missingFrom = 'from query parameter is required';

export const fromParam = storable(
  'from',
  z
    .string({ error: ({ input }) => (Array.isArray(input) ? 'from must be given once' : missingFrom) })
    .min(1, missingFrom),
).meta({ description: 'The name of the step from which the new run goes on' });

/** The body of a fork, which may be left out. */
export const forkEnvelope = knownMembers(
  'member of the body',
  {
    input: z
      .unknown()
      .optional()
      .meta({ description: 'The input of the new run. That of the earlier run unless given' }),
  },
  'The body must be a JSON object',
).meta({ id: 'ForkRequest' });

const missingName = 'name is required';

/** The body of a signal. */
export const signalEnvelope = knownMembers(
  'member of the body',
  {
    name: z
      .string({ error: ({ input }) => (input == null ? missingName : 'name must be a string') })
      .superRefine((given, ctx) => {
        const fault = signalNameFault(given);
        if (fault !== undefined) ctx.addIssue({ code: 'custom', message: `name ${fault}` });
      })
      .meta({ description: 'The name that `step.waitForSignal` waits for', minLength: 1, maxLength: 1024 }),
    payload: z.unknown().optional().meta({ description: 'What the step gets. Null unless given' }),
    signalId: key('signalId').meta({
      description:
        'Sent again with the same one, a signal changes nothing. With another payload it is a conflict',
    }),
  },
  'The body must be a JSON object',
).meta({ id: 'SignalRequest' });
