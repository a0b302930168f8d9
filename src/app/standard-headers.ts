import type { Context, MiddlewareHandler } from 'hono';
// Types the context's `requestId`, which apps around this one may have set with hono's own middleware.
import type {} from 'hono/request-id';
import { type AnswerMaker, headOf } from '../http/response.ts';

export const REQUEST_ID_HEADER = 'X-Request-Id';

/** What keeps browsers from doing more with an answer than they should. Subdomains are not the service's to decide on. */
const SECURITY_HEADERS = {
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=15552000',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'SAMEORIGIN',
} as const;

declare module 'hono' {
  interface ContextVariableMap {
    /** The answer that was made with the standard headers. A set of all such answers would cost the collector more. */
    completeAnswer?: Response;
  }
}

/**
 * Gives every answer the request's id, which errors are reported with too, and
 * the security headers. A well-formed id that the caller sent is kept.
 */
export function standardHeaders(): MiddlewareHandler {
  return async (c, next) => {
    // An app around this one may have given the request an id.
    const id = givenId(c.req.header(REQUEST_ID_HEADER)) ?? c.get('requestId') ?? crypto.randomUUID();
    c.set('requestId', id);
    await next();
    // Operations have answered HEAD without a body already; others leave it to hono, which tells no length.
    if (c.req.raw.method === 'HEAD' && c.res.body !== null) c.res = await headOf(c.res);
    if (c.res === c.get('completeAnswer')) return;
    const { headers } = c.res;
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) headers.set(name, value);
    headers.set(REQUEST_ID_HEADER, id);
    headers.delete('X-Powered-By');
  };
}

/**
 * Makes answers that have the standard headers from the start. A plain object of
 * headers goes to the socket as it is; a `Headers`, which setting one afterwards
 * needs, is taken apart again for every answer.
 */
export function answerMaker(c: Context): AnswerMaker {
  return (body, headers) => {
    // Several objects spread into one, with a computed name, take fifty times as long.
    const own = { [REQUEST_ID_HEADER]: c.get('requestId') };
    const response = new Response(body, { headers: Object.assign(own, SECURITY_HEADERS, headers) });
    c.set('completeAnswer', response);
    return response;
  };
}

function givenId(id: string | undefined): string | undefined {
  return id !== undefined && /^[\w\-=]{1,255}$/.test(id) ? id : undefined;
}
