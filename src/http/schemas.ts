import { z } from 'zod';
import { errorDetailSchema } from '../core/errors/error-detail.ts';
import { eventCatalogue, isListed, type JournalEventType, progressSchema } from '../core/events.ts';
import { LABEL_KEY, labelsSchema } from '../core/labels.ts';
import {
  DEFAULT_LIST_LIMIT,
  MAX_FILTER_VALUES,
  MAX_KEY_LENGTH,
  MAX_LIST_LIMIT,
  MAX_LIST_OFFSET,
  RUN_FIELDS,
  RUN_STATUSES,
} from '../core/run.ts';
import { LOG_LEVELS } from '../core/step.ts';
import { isStorableText, WITHOUT_NUL } from '../core/text.ts';
import { knownMembers } from '../core/validation/issues.ts';
import { nearestName } from '../core/validation/known-names.ts';

// Input. Each message names its parameter, because it is shown alone.

const storable = <T extends z.ZodType<string>>(name: string, text: T) =>
  text.refine(isStorableText, `${name} holds a NUL or a lone surrogate`).meta({ pattern: WITHOUT_NUL });

/** The message for a parameter that was repeated or is otherwise invalid. */
const single = (name: string, otherwise: string) => ({
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

const missingJobName = 'jobName is required';

/** The body of a trigger. The job's own schema validates `input`. */
export const triggerEnvelope = knownMembers(
  'member of the body',
  {
    jobName: storable(
      'jobName',
      z
        .string({ error: ({ input }) => (input == null ? missingJobName : 'jobName must be a string') })
        .min(1, missingJobName),
    ),
    input: z.unknown().default({}),
    idempotencyKey: key('idempotencyKey').meta({
      description:
        "Unique per job. A second trigger with the same key returns the first trigger's run and starts no other",
    }),
    concurrencyKey: key('concurrencyKey').meta({
      description: 'Runs with this key run one at a time, in the order of their triggers',
    }),
    labels: labelsSchema('labels')
      .nullish()
      .transform((given) => given ?? undefined)
      .meta({ description: 'Names and values to find the run by. Lists and streams filter by them' }),
  },
  'The body must be a JSON object',
).meta({ id: 'TriggerRequest' });

// Output.

const time = z.iso.datetime();

export const runSchema = z
  .object({
    id: z.string(),
    jobName: z.string(),
    payload: z.unknown(),
    status: z.enum(RUN_STATUSES),
    isTerminal: z.boolean().meta({ description: 'The run is completed, failed or cancelled' }),
    isActive: z.boolean().meta({ description: 'The run is pending or running' }),
    idempotencyKey: z.string().nullable(),
    concurrencyKey: z.string().nullable(),
    labels: z.record(z.string(), z.string()),
    currentStepIndex: z.int(),
    stepCount: z.int(),
    progress: progressSchema.nullable(),
    output: z.unknown(),
    error: z.string().nullable().meta({ description: 'The message of the error that failed the run' }),
    errorDetail: errorDetailSchema.nullable().meta({
      description: 'The error that failed the run. Null if the run failed because it lost its workers',
    }),
    failedStepName: z.string().nullable().meta({
      description: 'The step that failed the run. `unknown` if the run failed outside of its steps',
    }),
    attempt: z.int().meta({
      description:
        'The number of tries: the first, each retry and each takeover. A run that continues after a hand-back is in the same try',
    }),
    heartbeatAt: time.nullable(),
    createdAt: time,
    startedAt: time.nullable(),
    completedAt: time.nullable(),
    updatedAt: time,
  })
  .meta({ id: 'Run' });

export const stepSchema = z
  .object({
    name: z.string(),
    index: z.int(),
    status: z.enum(['completed', 'failed']),
    output: z.unknown(),
    error: z.string().nullable(),
    errorDetail: errorDetailSchema.nullable(),
    startedAt: time,
    completedAt: time,
  })
  .meta({ id: 'Step' });

export const logLineSchema = z
  .object({
    sequence: z.int(),
    stepName: z.string().nullable(),
    level: z.enum(LOG_LEVELS),
    message: z.string(),
    data: z.unknown(),
    createdAt: time,
  })
  .meta({ id: 'LogLine' });

export const successSchema = z.object({ success: z.literal(true) }).meta({ id: 'Success' });
export const retriggeredSchema = z
  .object({ success: z.literal(true), runId: z.string().meta({ description: "The new run's id" }) })
  .meta({ id: 'Retriggered' });
export const tickedSchema = z
  .object({ processed: z.int().meta({ description: 'The number of runs that were claimed' }) })
  .meta({ id: 'Ticked' });
export const triggeredSchema = z.object({ runId: z.string() }).meta({ id: 'Triggered' });

const journalEventTypes = Object.keys(eventCatalogue) as JournalEventType[];

/** The component's name for an event type: `run:start` → `RunStartEvent`. */
const componentName = (type: string) =>
  `${type.replace(/(?:^|:)(\w)/g, (_, letter: string) => letter.toUpperCase())}Event`;

const eventSchemas = new Map(
  journalEventTypes.map((type) => [
    type,
    z
      .object({
        type: z.literal(type),
        timestamp: time,
        sequence: z.int(),
        runId: z.string(),
        jobName: z.string(),
        ...eventCatalogue[type].schema.shape,
      })
      .meta({ id: componentName(type) }),
  ]),
);

const unionOf = (types: readonly JournalEventType[]) =>
  z.union([...eventSchemas].flatMap(([type, schema]) => (types.includes(type) ? [schema] : [])));

/** The data of a frame in the stream of one run. */
export const runEventSchema = unionOf(journalEventTypes).meta({ id: 'RunEvent' });

/** The data of a frame in the stream of all runs. */
export const listedEventSchema = unionOf(journalEventTypes.filter(isListed)).meta({ id: 'ListedEvent' });
