import type { MiddlewareHandler } from 'hono';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';

export const REQUEST_ID_HEADER = 'X-Request-Id';

/**
 * Gives every answer the request's id, which errors are reported with too, and
 * the headers that keep browsers from doing more with it than they should. A
 * well-formed id that the caller sent is kept.
 */
export function standardHeaders(): MiddlewareHandler[] {
  const identify = requestId({
    headerName: REQUEST_ID_HEADER,
    // An app around this one may have given the request an id.
    generator: (c) => c.get('requestId') ?? crypto.randomUUID(),
  });

  const announce: MiddlewareHandler = async (c, next) => {
    await next();
    // What the middleware set before is not in an answer that was made without the context.
    c.res.headers.set(REQUEST_ID_HEADER, c.get('requestId'));
  };

  return [
    identify,
    announce,
    secureHeaders({
      // Subdomains of the service's host are not its own to decide on.
      strictTransportSecurity: 'max-age=15552000',
      // These are of use to documents, or to browsers of the past, and cost every answer some.
      crossOriginOpenerPolicy: false,
      originAgentCluster: false,
      xDnsPrefetchControl: false,
      xDownloadOptions: false,
      xPermittedCrossDomainPolicies: false,
      xXssProtection: false,
    }),
  ];
}
