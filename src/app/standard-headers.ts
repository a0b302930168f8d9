import type { Context, MiddlewareHandler } from 'hono';
// Declares the type of `requestId` in the context. An outer app may have set it with Hono's middleware.
import type {} from 'hono/request-id';
import { type AnswerMaker, headOf } from '../http/response.ts';

export const REQUEST_ID_HEADER = 'X-Request-Id';

/**
 * Security headers that restrict what browsers may do with an answer. They make no rules for subdomains, which
 * may not belong to the service.
 */
const SECURITY_HEADERS = {
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=15552000',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'SAMEORIGIN',
} as const;

declare module 'hono' {
  interface ContextVariableMap {
    /** The answer that was made with the standard headers. A set of such answers would cost more garbage collection. */
    completeAnswer?: Response;
  }
}

/**
 * Adds the request id and the security headers to every answer. Error reports use the same id. A well-formed id
 * from the caller is kept.
 */
export function standardHeaders(): MiddlewareHandler {
  return async (c, next) => {
    // An outer app may have set an id for the request.
    const id = givenId(c.req.header(REQUEST_ID_HEADER)) ?? c.get('requestId') ?? crypto.randomUUID();
    c.set('requestId', id);
    await next();
    // Operations handle HEAD themselves. Other routes leave it to Hono, which sends no Content-Length.
    if (c.req.raw.method === 'HEAD' && c.res.body !== null) c.res = await headOf(c.res);
    if (c.res === c.get('completeAnswer')) return;
    const { headers } = c.res;
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) headers.set(name, value);
    headers.set(REQUEST_ID_HEADER, id);
    headers.delete('X-Powered-By');
  };
}

/**
 * Creates answers that have the standard headers from the start. The server writes a plain object of headers as
 * it is. Setting a header later would create a `Headers` object, which costs more for every answer.
 */
export function answerMaker(c: Context): AnswerMaker {
  return (body, headers) => {
    // `Object.assign` is fifty times as fast here as spreading several objects into one.
    const own = { [REQUEST_ID_HEADER]: c.get('requestId') };
    const response = new Response(body, { headers: Object.assign(own, SECURITY_HEADERS, headers) });
    c.set('completeAnswer', response);
    return response;
  };
}

function givenId(id: string | undefined): string | undefined {
  return id !== undefined && /^[\w\-=]{1,255}$/.test(id) ? id : undefined;
}
