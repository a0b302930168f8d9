import * as z from 'zod';
import { MAX_KEY_LENGTH, MAX_PRIORITY } from '../../core/run.ts';
import { signalNameFault } from '../../core/text.ts';
import type { Duration } from '../../core/time/duration.ts';
import { labelsSchema } from '../../core/triggers/labels.ts';
import { knownMembers } from '../../core/validation/issues.ts';
import { expecting, notThis, shownValue } from '../../core/validation/shown-value.ts';
import { WEBHOOK_EVENTS } from '../../core/webhooks/webhooks.ts';
import { storable } from './params.ts';

// The bodies of requests.

/** A member that may be missing or null, which both read as undefined. A missing one costs nothing. */
const optional = <T extends z.ZodType>(schema: T) =>
  schema
    .nullable()
    .transform((given) => given ?? undefined)
    .optional();

const keyText = (name: string) => {
  const error = expecting(`${name} must be a string of 1 to ${MAX_KEY_LENGTH} characters`);
  return z.string(error).min(1, error).max(MAX_KEY_LENGTH, error);
};

const key = (name: string) => optional(storable(name, keyText(name)));

/** The service says what is wrong with a text or a number. */
const textOrNumber = (name: string) =>
  z.union([z.number(), z.string()], expecting(`${name} must be a duration, such as 500 (ms) or "30s"`));

export const duration = (name: string) =>
  textOrNumber(name)
    .nullable()
    .transform((given) => (given ?? undefined) as Duration | undefined)
    .optional();

const priorityFault = expecting(`priority must be a whole number from -${MAX_PRIORITY} to ${MAX_PRIORITY}`);

const debounceSchema = knownMembers(
  'member of debounce',
  {
    key: storable('debounce.key', keyText('debounce.key')),
    delay: textOrNumber('debounce.delay').transform((given) => given as Duration),
    maxDelay: duration('debounce.maxDelay'),
  },
  'debounce must be an object',
);

const eventsRule = expecting(`webhook.events must be a list of ${WEBHOOK_EVENTS.join(', ')}`);

/** The service says what is wrong with the URL. */
const webhookSchema = knownMembers(
  'member of webhook',
  {
    url: z.string(expecting('webhook.url must be a string')).meta({
      description: 'http(s), to a public address or a host that the service allows',
      maxLength: 2048,
    }),
    events: optional(z.array(z.enum(WEBHOOK_EVENTS, eventsRule), eventsRule).min(1, eventsRule)).meta({
      description: 'Which ends it is told of. All unless given',
    }),
  },
  'webhook must be an object',
);

const missingJobName = 'jobName is required';

export const priorityMember = optional(
  z.int(priorityFault).min(-MAX_PRIORITY, priorityFault).max(MAX_PRIORITY, priorityFault),
).meta({
  description:
    'Of the runs that could be started, those of a higher priority come first, then those that were triggered first. 0 unless given',
});

export const labelsMember = optional(labelsSchema('labels')).meta({
  description: 'Names and values to find the run by. Lists and streams filter by them',
});

export const jobNameMember = storable(
  'jobName',
  z
    .string({
      error: ({ input }) => (input == null ? missingJobName : `jobName must be a string${notThis(input)}`),
    })
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
    idempotencyTtl: duration('idempotencyTtl').meta({
      description:
        'How long the idempotency key counts: a duration as in `delay`. For as long as the run exists unless given',
      examples: ['24h'],
    }),
    coalesce: optional(z.enum(['skip', 'active'], expecting("coalesce must be 'skip' or 'active'"))).meta({
      description:
        'Returns a run of the job and the `concurrencyKey` that is there already: a pending or delayed one, or with `active` also one that runs or waits',
    }),
    debounce: optional(debounceSchema).meta({
      description:
        'The run starts `delay` after the last trigger with this key, and at most `maxDelay` after the first one, with the input and labels of the last one',
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
    runAt: optional(z.string(expecting('runAt must be an ISO 8601 time with a time zone'))).meta({
      description: 'The run waits until then: ISO 8601 with a time zone',
      format: 'date-time',
    }),
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
    webhook: optional(webhookSchema).meta({
      description: 'Is told how the run ends, if the service allows webhooks of single runs',
    }),
  },
  'The body must be a JSON object',
).meta({ id: 'TriggerRequest' });

/** The body of a batch of triggers. */
export const triggerBatchEnvelope = knownMembers(
  'member of the body',
  {
    runs: z
      .array(triggerEnvelope, {
        error: ({ input }) => (input == null ? 'runs is required' : `runs must be a list${notThis(input)}`),
      })
      .max(1000, {
        error: ({ input }) =>
          `runs must have at most 1000 elements, not ${(input as readonly unknown[]).length}`,
      }),
  },
  'The body must be a JSON object',
).meta({ id: 'TriggerBatchRequest' });

/** The body of a change of a run's time. */
export const rescheduleEnvelope = knownMembers(
  'member of the body',
  { delay: triggerEnvelope.shape.delay, runAt: triggerEnvelope.shape.runAt },
  'The body must be a JSON object',
)
  .superRefine(({ delay, runAt }, context) => {
    if (context.issues.length > 0 || (delay === undefined) !== (runAt === undefined)) return;
    const message =
      delay === undefined
        ? 'runAt or delay must be given'
        : `delay ${shownValue(delay)} does not go with runAt ${shownValue(runAt)}`;
    context.addIssue({ code: 'custom', path: ['runAt'], message });
  })
  .meta({ id: 'RescheduleRequest' });

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
      .string({
        error: ({ input }) => (input == null ? missingName : `name must be a string${notThis(input)}`),
      })
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
