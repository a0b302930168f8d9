import type * as z from 'zod';
import type { Run } from '../run.ts';
import type { StepContext } from '../step.ts';
import type { Clock } from '../time/clock.ts';

/** The job whose runs deliver webhooks. Its name is reserved: callers can neither register nor trigger it. */
export const WEBHOOK_JOB = 'durably:webhook';

export const WEBHOOK_EVENTS = ['run.completed', 'run.failed', 'run.cancelled'] as const;
/** What a webhook tells: how a run has ended. */
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** A webhook of a single run, as its trigger gives it. */
export interface RunWebhook {
  /** http(s), to a public address or a host that the service allows. At most 2,048 characters, without a user name. */
  readonly url: string;
  /** Default: all. */
  readonly events?: readonly WebhookEvent[] | undefined;
}

/** Who wants to hear of which ends. The database has it without address and secret. */
export interface WebhookSubscription {
  readonly id: string;
  /** Shown with its deliveries. */
  readonly host: string;
  readonly events: readonly WebhookEvent[];
  /** The names of jobs; null for all. */
  readonly jobs: readonly string[] | null;
}

/** What the database keeps: the webhooks of all runs, and whether single runs may have some. */
export interface WebhookSubscriptions {
  readonly endpoints: readonly WebhookSubscription[];
  readonly ofRuns: boolean;
}

/** The job that delivers, for the instance that executes it. */
export interface WebhookJob {
  readonly name: typeof WEBHOOK_JOB;
  readonly input: z.ZodType;
  run(step: StepContext, payload: unknown): Promise<unknown>;
}

/** What a delivery needs of its instance. */
export interface WebhookSource {
  /** The run as it is now, as callers see it. Null if there is none. */
  getRun(runId: string): Promise<Run | null>;
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>;
}

/** The webhooks of an instance. `createWebhooks` of `durably/webhooks` makes them. */
export interface Webhooks extends WebhookSubscriptions {
  /**
   * Checks the webhook of a trigger. Returns what is stored with the run: JSON text.
   *
   * @throws {ValidationError} that names what is wrong, also if single runs may have none.
   */
  acceptOfRun(given: unknown): string;
  createJob(source: WebhookSource): WebhookJob;
}
