import type { MiddlewareHandler } from 'hono';
import { RequestError } from '../http/problem.ts';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

export interface HostGuardOptions {
  /** Our host names, besides the loopback ones, or `any`. */
  readonly hosts: readonly string[] | 'any';
  /** Foreign origins that are allowed. */
  readonly origins: readonly string[];
}

/**
 * Refuses requests that a web page of another site could have caused. These are requests to a host name that is
 * not ours ("DNS rebinding": a foreign name that points at this machine), and requests from a foreign origin.
 * Our origins are our host names on any port. If any host is accepted, the origin must match the host that the
 * request was sent to.
 *
 * @throws {RequestError} FORBIDDEN
 */
export function hostGuard({ hosts, origins }: HostGuardOptions): MiddlewareHandler {
  const ours = hosts === 'any' ? undefined : ourHostnames(hosts);
  // Nearly all requests go to the same host, so the last one is remembered.
  let lastFound: string | undefined;
  const isOurs = (host: string) => {
    if (ours === undefined || host === lastFound) return true;
    if (!ours.has(hostnameOf(host))) return false;
    lastFound = host;
    return true;
  };

  return (c, next) => {
    const { headers, url } = c.req.raw;
    const sentTo = headers.get('host') ?? '';
    // The request line may contain a different host.
    const start = url.indexOf('//') + 2;
    const isSameInUrl = url.startsWith(sentTo, start) && url[start + sentTo.length] === '/';
    for (const host of isSameInUrl ? [sentTo] : [sentTo, new URL(url).host]) {
      if (host !== '' && !isOurs(host)) {
        throw new RequestError(
          'FORBIDDEN',
          `Requests to the host ${host} are not accepted without access control: set DURABLY_API_KEYS, as behind a proxy, or allowedHosts in an app of your own`,
        );
      }
    }
    const origin = headers.get('origin');
    if (origin !== null && !origins.includes(origin) && !isHome(origin, { ours, sentTo })) {
      throw new RequestError(
        'FORBIDDEN',
        `Requests from the origin ${origin} are not accepted: name it in DURABLY_CORS_ORIGINS, or corsOrigins in an app of your own`,
      );
    }
    return next();
  };
}

function ourHostnames(hosts: readonly string[]): ReadonlySet<string | null> {
  return new Set([...LOOPBACK, ...hosts.map(bracketed)].map(hostnameOf));
}

function isHome(
  origin: string,
  { ours, sentTo }: { readonly ours: ReadonlySet<string | null> | undefined; readonly sentTo: string },
): boolean {
  const [, scheme, host = ''] = /^(https?:)\/\/(.*)$/i.exec(origin) ?? [];
  if (scheme === undefined || hostnameOf(host) === null) return false;
  if (ours !== undefined) return ours.has(hostnameOf(host));
  return hostnameOf(sentTo) !== null && new URL(`${scheme}//${sentTo}`).host === new URL(origin).host;
}

/** Whether the text is only a host name, without a scheme or a port. */
export function isHostName(text: string): boolean {
  const host = bracketed(text);
  return hostnameOf(host) !== null && !/:\d*$/.test(host);
}

/** URLs write IPv6 addresses in brackets. */
function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

/** Null for a text in which a URL parser would find a different host, such as `evil.example#` or `user@host`. */
function hostnameOf(host: string): string | null {
  const url = `http://${host}`;
  return /^[^\s/\\?#@]+$/.test(host) && URL.canParse(url) ? new URL(url).hostname : null;
}
