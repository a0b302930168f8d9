import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { routes } from '../http/routing.ts';
import { REQUEST_ID_HEADER } from './standard-headers.ts';

export const ORIGINS_RULE = 'must be a list of origins such as https://example.com';

/** Whether the text has the form that browsers send as `Origin`: no path and no default port. */
export function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

/**
 * Lets pages of these origins read answers. Their preflights need no credentials. All other requests pass
 * through unchanged.
 */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  const methods = new Set([...routes.values()].flatMap((byMethod) => [...byMethod.keys()]));
  const allow = cors({
    origin: [...origins],
    allowMethods: [...methods, 'HEAD'],
    allowHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'Last-Event-ID', REQUEST_ID_HEADER],
    exposeHeaders: [REQUEST_ID_HEADER, 'Retry-After', 'Link'],
    maxAge: 600,
  });
  return async (c, next) => {
    const isPreflight =
      origins.includes(c.req.header('origin') ?? '') &&
      c.req.header('access-control-request-method') !== undefined;
    // Hono's CORS middleware would answer OPTIONS requests from every origin.
    if (c.req.method === 'OPTIONS' && !isPreflight) return await next();
    return await allow(c, next);
  };
}
