import * as z from 'zod';
import { errorDetailSchema } from '../core/errors/error-detail.ts';
import { eventCatalogue, isListed, type JournalEventType, progressSchema } from '../core/events.ts';
import { LOG_LEVELS } from '../core/log-line.ts';
import { RUN_STATUSES } from '../core/run.ts';
import { MISSED_POLICIES, OVERLAP_POLICIES } from '../core/schedules/schedule.ts';
import { STEP_KINDS } from '../core/step.ts';
import { waitSchema } from '../core/wait.ts';

const time = z.iso.datetime();

export const runSchema = z
  .object({
    id: z.string(),
    jobName: z.string(),
    payload: z.unknown(),
    status: z.enum(RUN_STATUSES),
    isTerminal: z.boolean().meta({ description: 'The run is completed, failed or cancelled' }),
    isActive: z.boolean().meta({ description: 'The run is pending, waiting or running' }),
    waits: z
      .array(waitSchema)
      .meta({ description: 'What a waiting run waits for. Empty in every other status' }),
    idempotencyKey: z.string().nullable(),
    concurrencyKey: z.string().nullable(),
    parentRunId: z.string().nullable().meta({ description: 'The run whose step triggered it' }),
    scheduleId: z.string().nullable().meta({ description: 'The schedule that made it' }),
    scheduledFor: time.nullable().meta({
      description: 'The slot of the schedule. Null if the run was made beside the slots',
    }),
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
    kind: z.enum(STEP_KINDS),
    status: z.enum(['completed', 'failed']),
    output: z.unknown().meta({
      description:
        'What it returned. `[redacted]` for a sensitive step, `[encrypted]` where it can not be decoded',
    }),
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

const jsonSchema = z.record(z.string(), z.unknown()).nullable();
export const jobSchema = z
  .object({
    name: z.string(),
    input: jsonSchema.meta({ description: 'JSON Schema of the input. Null if it can not be expressed' }),
    output: jsonSchema.meta({
      description: 'JSON Schema of the output. Null without a schema, or if it can not be expressed',
    }),
    version: z.int(),
    limits: z.object({
      retries: z.int().meta({ description: 'How often a run whose job threw is tried again' }),
      timeout: z
        .string()
        .nullable()
        .meta({ description: 'How long a run may take', examples: ['2h'] }),
      concurrency: z
        .object({
          limit: z.int().nullable().meta({ description: 'Of all runs of the job' }),
          perKey: z.int().nullable().meta({ description: 'Of the runs of one key' }),
          whileWaiting: z
            .enum(['release', 'hold'])
            .meta({ description: 'Whether a waiting run lets others have its place' }),
        })
        .nullable()
        .meta({ description: 'How many runs are executed at once' }),
      throttle: z
        .object({
          limit: z.int(),
          per: z.number().meta({ description: 'In ms' }),
          keyed: z.boolean().meta({ description: 'Whether it counts for each key' }),
        })
        .nullable()
        .meta({ description: 'How many runs start in a while' }),
    }),
    paused: z.boolean().meta({ description: 'Whether no run of it is claimed, because it was paused' }),
    schedules: z
      .array(
        z.object({
          id: z.string(),
          cron: z.string().nullable(),
          every: z.int().nullable().meta({ description: 'In ms' }),
          timezone: z.string(),
          isPaused: z.boolean(),
          isFixed: z.boolean().meta({ description: 'The schedule is in the definition of the job' }),
          next: time.nullable().meta({ description: 'The next slot. Null after its end' }),
        }),
      )
      .nullable()
      .meta({
        description:
          'The first 100 by id. Null if they were left out, or if `scopeRuns` lets the caller see only some runs',
      }),
    counts: z
      .object(Object.fromEntries(RUN_STATUSES.map((status) => [status, z.int()])))
      .nullable()
      .meta({
        description: 'How many runs are in each status. Null if `scopeRuns` lets the caller see only some',
      }),
  })
  .meta({ id: 'Job' });
export const scheduleSchema = z
  .object({
    id: z.string(),
    jobName: z.string(),
    input: z.unknown(),
    cron: z.string().nullable(),
    every: z.int().nullable().meta({ description: 'In ms' }),
    timezone: z.string(),
    missed: z.enum(MISSED_POLICIES),
    overlap: z.enum(OVERLAP_POLICIES),
    startAt: time.nullable(),
    endAt: time.nullable(),
    labels: z.record(z.string(), z.string()),
    priority: z.int(),
    isPaused: z.boolean(),
    isFixed: z
      .boolean()
      .meta({ description: 'The schedule is in the definition of its job, and changes only with that' }),
    createdAt: time,
    updatedAt: time,
    next: z.array(time).meta({
      description:
        'The next five slots, fewer before its end. Those of a paused schedule come only if it is resumed before',
    }),
  })
  .meta({ id: 'Schedule' });

export const successSchema = z.object({ success: z.literal(true) }).meta({ id: 'Success' });
export const bulkResultSchema = z
  .object({
    count: z.int().meta({ description: 'How many runs were changed' }),
    more: z.boolean().meta({ description: 'Whether more runs matched, for another request' }),
  })
  .meta({ id: 'BulkResult' });
export const retriggeredSchema = z
  .object({ success: z.literal(true), runId: z.string().meta({ description: "The new run's id" }) })
  .meta({ id: 'Retriggered' });
export const firedSchema = z
  .object({ success: z.literal(true), runId: z.string().meta({ description: "The new run's id" }) })
  .meta({ id: 'Fired' });
export const tickedSchema = z
  .object({ processed: z.int().meta({ description: 'The number of runs that were claimed' }) })
  .meta({ id: 'Ticked' });
export const signalledSchema = z
  .object({
    disposition: z.enum(['accepted', 'duplicate']).meta({
      description:
        '`duplicate`: a signal with the same `signalId`, name and payload was sent before. Nothing has changed',
    }),
  })
  .meta({ id: 'Signalled' });
export const triggeredSchema = z
  .object({
    runId: z.string(),
    disposition: z.enum(['created', 'idempotent', 'coalesced', 'debounced']).meta({
      description:
        '`created`: a new run. Otherwise there was one already: `idempotent`, of the idempotency key; `coalesced`, of the concurrency key; `debounced`, of the debounce key, and it was postponed',
    }),
  })
  .meta({ id: 'Triggered' });

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
