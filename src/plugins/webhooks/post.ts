import { lookup as lookupInDns } from 'node:dns';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { isPublicAddress } from './addresses.ts';

/** What is read of an answer's body, and for how long. It is thrown away. */
const MAX_BODY_BYTES = 64 * 1024;
const MAX_BODY_MS = 1_000;

/** A host name resolves to an address that is not public. */
export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError';
}

export interface Post {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Whether the host may have any address. */
  readonly isAllowed: boolean;
  readonly signal: AbortSignal;
}

export interface PostAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** Resolves a host name to all of its addresses. */
export type ResolveHost = (
  host: string,
) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export const resolveByDns: ResolveHost = async (host) =>
  await new Promise((resolve, reject) => {
    lookupInDns(host, { all: true, verbatim: true }, (error, addresses) => {
      if (error === null) resolve(addresses);
      else reject(error);
    });
  });

/**
 * Sends a request and resolves with the status of its answer. Redirects are not followed. The connection is made to an address
 * that was checked, and not to the name, which could resolve to another one by then. Proxies of the environment are not used.
 *
 * @throws {PrivateAddressError} @throws what Node throws for a connection that fails.
 */
export async function post(
  { url, headers, body, isAllowed, signal }: Post,
  resolveHost: ResolveHost,
): Promise<PostAnswer> {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return await new Promise((resolve, reject) => {
    const request = send(url, {
      method: 'POST',
      // A connection of its own, which no other request has opened.
      agent: false,
      lookup: checkedLookup(resolveHost, isAllowed),
      signal,
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] });
      throwAway(response);
    });
    request.end(body);
  });
}

/** Called by Node for names only: an address in the URL was checked with it. */
function checkedLookup(resolveHost: ResolveHost, isAllowed: boolean): LookupFunction {
  return (host, { all }, callback) => {
    const resolved = resolveHost(host).then((addresses) => {
      const [first] = addresses;
      if (first === undefined) throw new Error('the host has no address');
      if (!isAllowed && !addresses.every(({ address }) => isPublicAddress(address))) {
        throw new PrivateAddressError('the host has an address that is not public');
      }
      return { first, addresses };
    });
    resolved.then(
      ({ first, addresses }) => {
        if (all === true) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };
}

/** Reads a short body, so that the receiver sees its answer arrive, and cuts off a long or slow one. */
function throwAway(response: IncomingMessage): void {
  let bytes = 0;
  const timer = setTimeout(() => response.destroy(), MAX_BODY_MS);
  timer.unref();
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) response.destroy();
  });
  response.on('error', () => undefined);
  response.on('close', () => clearTimeout(timer));
}
