import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { ValidationError } from '../core/errors.ts';
import { withoutCredentials } from '../core/secrets.ts';
import { routes } from '../http/routing.ts';
import { REQUEST_ID_HEADER } from './standard-headers.ts';

/** Whether a text is what a browser sends as the `Origin` of a page: no path, no default port. */
export function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

/**
 * Lets pages of these origins read answers, and asks no credentials of their
 * preflights. Any other request is left to those that come after.
 *
 * @throws {ValidationError} for what is no origin.
 */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  const wrong = origins.find((origin) => !isOrigin(origin));
  if (wrong !== undefined) {
    const shown = withoutCredentials(String(wrong));
    throw new ValidationError(`corsOrigins must be origins such as https://example.com, got ${shown}`);
  }
  const methods = new Set([...routes.values()].flatMap((byMethod) => [...byMethod.keys()]));
  const allow = cors({
    origin: [...origins],
    allowMethods: [...methods, 'HEAD'],
    allowHeaders: ['Authorization', 'Content-Type', 'Last-Event-ID', REQUEST_ID_HEADER],
    exposeHeaders: [REQUEST_ID_HEADER, 'Retry-After', 'Link'],
    maxAge: 600,
  });
  return async (c, next) => {
    const isPreflight =
      origins.includes(c.req.header('origin') ?? '') &&
      c.req.header('access-control-request-method') !== undefined;
    // The middleware would answer any OPTIONS request, whoever it is from.
    if (c.req.method === 'OPTIONS' && !isPreflight) return await next();
    return await allow(c, next);
  };
}
