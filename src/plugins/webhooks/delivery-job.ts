import { StepTimeoutError } from '../../core/errors/errors.ts';
import { NonRetryableError } from '../../core/retries/retry-errors.ts';
import { VERSION } from '../../core/version.ts';
import { WEBHOOK_JOB, type WebhookJob, type WebhookSource } from '../../core/webhooks/webhooks.ts';
import { bodyOf, type Delivery, deliverySchema } from './delivery.ts';
import { HangingReceivers } from './hanging.ts';
import { type PostAnswer, PrivateAddressError, post, type ResolveHost } from './post.ts';
import { DELIVERY_RETRIES, NotDeliveredError, retryAfterMs } from './retries.ts';
import { signedHeaders } from './signature.ts';

const TIMEOUT_MS = 15_000;
const GONE = 410;

/** Where a delivery goes, and the keys that sign it. */
export interface Receiver {
  readonly url: URL;
  readonly keys: readonly Buffer[];
  readonly isAllowed: boolean;
}

export interface DeliveryDeps {
  /** @throws {NotDeliveredError | NonRetryableError} if this process can't deliver it. */
  readonly receiverOf: (delivery: Delivery) => Receiver;
  readonly resolveHost: ResolveHost;
}

/** The job whose runs deliver. Its errors name the host only: the rest of an address may be a secret. */
export function createDeliveryJob(
  { receiverOf, resolveHost }: DeliveryDeps,
  source: WebhookSource,
): WebhookJob {
  const { clock } = source;
  const hanging = new HangingReceivers(() => clock.monotonicMs());

  const send = async (delivery: Delivery, id: string, signal: AbortSignal): Promise<{ status: number }> => {
    const { url, keys, isAllowed } = receiverOf(delivery);
    const restMs = hanging.restMs(url.origin);
    if (restMs > 0) {
      throw new NotDeliveredError(`${url.host} does not answer, and is left alone`, { retryAfterMs: restMs });
    }
    const body = bodyOf(delivery, await source.getRun(delivery.runId));
    const timestamp = Math.floor(clock.now() / 1000);
    const headers = {
      'content-type': 'application/json',
      'user-agent': `durably/${VERSION}`,
      ...signedHeaders({ id, timestamp, body }, keys),
    };
    let answer: PostAnswer;
    try {
      answer = await post({ url, headers, body, isAllowed, signal }, resolveHost);
    } catch (error) {
      if (signal.reason instanceof StepTimeoutError) hanging.note(url.origin);
      throw connectionError(url, error);
    }
    hanging.forget(url.origin);
    return accepted(url, answer, clock.now());
  };

  return {
    name: WEBHOOK_JOB,
    input: deliverySchema,
    async run(step, payload) {
      const delivery = deliverySchema.parse(payload);
      return await step.run('deliver', { retries: DELIVERY_RETRIES, timeout: TIMEOUT_MS }, (signal) =>
        send(delivery, step.runId, signal),
      );
    },
  };
}

/** @throws {NotDeliveredError | NonRetryableError} for an answer other than a success. */
function accepted({ host }: URL, { status, retryAfter }: PostAnswer, nowMs: number): { status: number } {
  if (status >= 200 && status < 300) return { status };
  if (status === GONE) throw new NonRetryableError(`${host} answered 410: it wants no more webhooks`);
  throw new NotDeliveredError(`${host} answered ${status}`, {
    retryAfterMs: retryAfterMs(retryAfter, nowMs),
  });
}

function connectionError({ host }: URL, error: unknown): Error {
  if (error instanceof PrivateAddressError) {
    return new NonRetryableError(`${host} has an address that is not public, and is not allowed by name`);
  }
  // The message has the address, which says something of the network.
  const { code } = error as { readonly code?: unknown };
  return new NotDeliveredError(`${host} could not be reached${typeof code === 'string' ? `: ${code}` : ''}`);
}
