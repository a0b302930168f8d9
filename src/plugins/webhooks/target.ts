import { shownValue } from '../../core/validation/shown-value.ts';
import { isPublicAddress, literalAddress } from './addresses.ts';

const MAX_URL_LENGTH = 2048;

/** Hosts that may have any address: by name, or by name and port. */
export class AllowedHosts {
  readonly #hosts: ReadonlySet<string>;

  constructor(hosts: readonly string[]) {
    this.#hosts = new Set(hosts);
  }

  has(url: URL): boolean {
    return this.#hosts.has(url.hostname) || this.#hosts.has(`${url.hostname}:${portOf(url)}`);
  }
}

function portOf({ port, protocol }: URL): string {
  return port === '' ? (protocol === 'https:' ? '443' : '80') : port;
}

/** A host as {@link AllowedHosts} knows it. Undefined for something else than a host name or an address, with or without a port. */
export function parseHost(text: unknown): string | undefined {
  if (typeof text !== 'string' || !/^[\w.:[\]-]+$/.test(text)) return undefined;
  // With ws: no port is left out, unless it is 80.
  const url = URL.canParse(`http://${text}`) ? new URL(`http://${text}`) : undefined;
  if (url === undefined || url.pathname !== '/' || url.username !== '') return undefined;
  return /:80$/.test(text) ? `${url.hostname}:80` : url.host;
}

/** Where a webhook is sent, or why it can't be. A fault names at most the scheme and the host of the URL: its path may hold a token. */
export type Target =
  | { readonly ok: true; readonly url: URL }
  | { readonly ok: false; readonly fault: string };

/** Checks all that can be known of a URL without the DNS. */
export function parseTarget(given: unknown, allowed: AllowedHosts): Target {
  if (typeof given !== 'string') return refused(`must be a URL, not ${shownValue(given)}`);
  if (given.length > MAX_URL_LENGTH)
    return refused(`must have at most ${MAX_URL_LENGTH} characters, not ${given.length}`);
  if (!URL.canParse(given)) return refused('must be an http(s) URL, such as https://example.com/hooks');
  const url = new URL(given);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return refused(`must begin with https:// or http://, not ${shownValue(url.protocol)}`);
  if (url.username !== '' || url.password !== '') return refused('must hold no user name and no password');
  url.hash = '';
  const address = literalAddress(url.hostname);
  const isLocal = /(^|\.)localhost\.?$/.test(url.hostname);
  if ((isLocal || (address !== undefined && !isPublicAddress(address))) && !allowed.has(url)) {
    return refused(
      `must have a public address, or a host that is allowed by name, not ${shownValue(url.host)}`,
    );
  }
  return { ok: true, url };
}

function refused(fault: string): Target {
  return { ok: false, fault };
}
