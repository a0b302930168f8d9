import type { RetryOptions } from '../../core/retries/retry.ts';

const FIRST_DELAY_MS = 10_000;
const HOUR_MS = 60 * 60 * 1000;
const MAX_DELAY_MS = 12 * HOUR_MS;
/** A receiver can't ask for a longer pause. */
const MAX_WISH_MS = 24 * HOUR_MS;

/** A receiver did not accept a delivery. */
export class NotDeliveredError extends Error {
  override readonly name = 'NotDeliveredError';
  /** The pause that it asks for. */
  readonly retryAfterMs: number;

  constructor(message: string, { retryAfterMs = 0 }: { readonly retryAfterMs?: number | undefined } = {}) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Twenty tries in about three days. Each pause is twice the one before, up to twelve hours, and up to a half shorter at random,
 * so that deliveries that failed together are not tried together. A receiver that asks for a longer pause gets it.
 */
export const DELIVERY_RETRIES: RetryOptions = {
  limit: 19,
  maxDelay: MAX_WISH_MS,
  // The delay has its own.
  jitter: false,
  delay: ({ attempt, error }) => {
    const fullMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
    const ownMs = fullMs * (0.5 + Math.random() / 2);
    const wishMs = error instanceof NotDeliveredError ? error.retryAfterMs : 0;
    return Math.round(Math.max(ownMs, Math.min(wishMs, MAX_WISH_MS)));
  },
};

/** A `Retry-After`: seconds, or a date (RFC 9110, 10.2.3). Undefined for something else. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d{1,15}\s*$/.test(header)) return Number(header) * 1000;
  const dateMs = Date.parse(header);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}
