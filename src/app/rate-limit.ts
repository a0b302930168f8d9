import type { Context, MiddlewareHandler } from 'hono';
import { rateLimiter } from 'hono-rate-limiter';
import { ValidationError } from '../core/errors/errors.ts';
import { shownValue } from '../core/validation/shown-value.ts';
import { RequestError } from '../http/problem.ts';

const WINDOW_MS = 60_000;

export const RATE_LIMIT_RULE = 'a positive whole number';

/** Whether the value is a limit that {@link RateLimit} accepts. */
export function isRateLimit(limit: unknown): limit is number {
  return typeof limit === 'number' && Number.isInteger(limit) && limit > 0;
}

/**
 * Limits the requests of each caller per minute. The minute begins with the caller's first request. Each
 * instance counts separately.
 */
export class RateLimit {
  readonly #limiter: MiddlewareHandler;
  readonly #callers = new WeakMap<Request, string>();

  /** @throws {ValidationError} */
  constructor(limit: number) {
    if (!isRateLimit(limit)) {
      throw new ValidationError(`rateLimit must be ${RATE_LIMIT_RULE}, not ${shownValue(limit)}`);
    }
    this.#limiter = rateLimiter({
      windowMs: WINDOW_MS,
      limit,
      keyGenerator: (c) => this.#callers.get(c.req.raw) ?? '',
      standardHeaders: false,
      handler: (c) => {
        const { resetTime } = c.get('rateLimit');
        const restMs = resetTime === undefined ? WINDOW_MS : resetTime.getTime() - Date.now();
        throw new RequestError('RATE_LIMITED', `No more than ${limit} requests a minute are accepted`, {
          'retry-after': String(Math.max(1, Math.ceil(restMs / 1000))),
        });
      },
    });
  }

  /**
   * Refuses requests above the limit.
   *
   * @throws {RequestError} RATE_LIMITED
   */
  by(callerOf: (c: Context) => string): MiddlewareHandler {
    return (c, next) => {
      this.#callers.set(c.req.raw, callerOf(c));
      return this.#limiter(c, next);
    };
  }
}
