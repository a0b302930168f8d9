import * as z from 'zod';
import { RUN_FIELDS, type Run } from '../../core/run.ts';
import { toIsoTime } from '../../core/time/clock.ts';
import { WEBHOOK_EVENTS } from '../../core/webhooks/webhooks.ts';

/** The input of a delivery, as the schema's trigger makes it. */
export const deliverySchema = z.object({
  event: z.enum(WEBHOOK_EVENTS),
  runId: z.string(),
  jobName: z.string(),
  attempt: z.number(),
  /** Ms since the epoch. */
  endedAt: z.number(),
  /** The id of a webhook of all runs. Null for one of its run, which has a URL. */
  endpoint: z.string().nullable(),
  /** For whoever looks at the delivery. */
  host: z.string().nullable(),
  url: z.string().nullable(),
});

export type Delivery = z.output<typeof deliverySchema>;

const MAX_BODY_BYTES = 256 * 1024;
/** What is left out of a body that would be too long, the first one first. */
const LEFT_OUT_FIRST = ['output', 'payload', 'errorDetail', 'progress', 'waits', 'error'] as const;

/**
 * The body: the event, and the run as `GET /run` shows it. What is left out is null there, and named in `omitted`. A run that was
 * deleted or retried since has only what the delivery knows.
 */
export function bodyOf(delivery: Delivery, run: Run | null): string {
  const { event, endedAt } = delivery;
  const known = knownOf(delivery);
  const isSame =
    run !== null &&
    run.status === known.status &&
    run.attempt === known.attempt &&
    run.completedAt === known.completedAt;
  const data: Record<string, unknown> = isSame ? { ...run } : { ...nothing(), ...known };
  const omitted: string[] = isSame ? [] : RUN_FIELDS.filter((field) => !Object.hasOwn(known, field));
  const encode = () =>
    JSON.stringify({ type: event, timestamp: toIsoTime(endedAt), data: { ...data, omitted } });
  let body = encode();
  for (const field of LEFT_OUT_FIRST) {
    if (Buffer.byteLength(body) <= MAX_BODY_BYTES) break;
    if (data[field] === null) continue;
    data[field] = null;
    omitted.push(field);
    body = encode();
  }
  return body;
}

function nothing(): Record<string, unknown> {
  return Object.fromEntries(RUN_FIELDS.map((field) => [field, null]));
}

function knownOf({ event, runId, jobName, attempt, endedAt }: Delivery) {
  const status = event.slice('run.'.length);
  return {
    id: runId,
    jobName,
    status,
    isTerminal: true,
    isActive: false,
    attempt,
    completedAt: toIsoTime(endedAt),
  };
}
