import type { MiddlewareHandler } from 'hono';
import { RequestError } from '../http/problem.ts';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Refuses requests that a web page of another site could have caused: those
 * sent to a host name that isn't ours (a name that was pointed at this machine,
 * "DNS rebinding") and those that come from a foreign origin. Loopback names
 * are ours, on any port, and so are `hosts`.
 *
 * @throws {RequestError} FORBIDDEN
 */
export function hostGuard(hosts: readonly string[]): MiddlewareHandler {
  const ours = new Set([...LOOPBACK, ...hosts.map(bracketed)].map((host) => hostnameOf(`http://${host}`)));

  return async (c, next) => {
    const { headers, url } = c.req.raw;
    // A request line may hold a host of its own.
    for (const host of [headers.get('host') ?? '', new URL(url).host]) {
      if (host !== '' && !(isPlainHost(host) && ours.has(hostnameOf(`http://${host}`)))) {
        throw new RequestError('FORBIDDEN', `Requests to the host ${host} are not accepted`);
      }
    }
    const origin = headers.get('origin');
    if (origin !== null && !(/^https?:\/\//i.test(origin) && ours.has(hostnameOf(origin)))) {
      throw new RequestError('FORBIDDEN', `Requests from the origin ${origin} are not accepted`);
    }
    await next();
  };
}

/** A URL has an IPv6 address in brackets. */
function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

/** Not something in which a URL would find its host elsewhere: `evil.example#`, `user@host`. */
function isPlainHost(host: string): boolean {
  return /^[^\s/\\?#@]+$/.test(host);
}

function hostnameOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname : null;
}
