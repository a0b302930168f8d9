import type { Context, MiddlewareHandler } from 'hono';
import { rateLimiter } from 'hono-rate-limiter';
import { RequestError } from '../http/problem.ts';

const WINDOW_MS = 60_000;

/**
 * Refuses what goes beyond `limit` requests in a minute of one caller; the
 * minute begins with its first. Each instance counts on its own.
 *
 * @throws {RequestError} RATE_LIMITED
 */
export function perMinute(limit: number, callerOf: (c: Context) => string): MiddlewareHandler {
  return rateLimiter({
    windowMs: WINDOW_MS,
    limit,
    keyGenerator: callerOf,
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
