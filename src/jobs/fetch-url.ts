import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import * as z from 'zod';
import { knownMembers } from '../core/validation/issues.ts';
import { defineJob } from '../engine/jobs/define-job.ts';

const MAX_BODY_BYTES = 16 * 1024 * 1024;
const MAX_RETRY_AFTER_MS = 60_000;

/**
 * Whether jobs may fetch from this machine's own addresses. If other machines can reach the service, `open`
 * would give them access to services that listen on loopback only.
 */
export type LoopbackRule = 'open' | 'named';

export interface FetchUrlOptions {
  /** Origins that may be fetched, such as `https://api.example.com`, whatever address their names resolve to. */
  readonly origins?: readonly string[] | undefined;
  /** `open` (the default) allows this machine's own addresses. `named` allows them only if they are in `origins`. */
  readonly loopback?: LoopbackRule | undefined;
  /**
   * The pause before the second try. It doubles with each further try, up to `longestMs`, and is shortened at
   * random.
   */
  readonly backoff?: { readonly firstMs: number; readonly longestMs: number } | undefined;
  /** Default: the runtime's own. */
  readonly fetch?: typeof fetch | undefined;
}

type Outcome =
  | { readonly kind: 'fetched'; readonly status: number; readonly bytes: number; readonly sha256: string }
  | { readonly kind: 'retry'; readonly reason: string; readonly retryAfterMs?: number | undefined };

const outputSchema = z.object({
  status: z.int(),
  bytes: z.int(),
  sha256: z.string(),
  tries: z.int(),
});

/**
 * Fetches a URL. The job is an example of retries inside a step: it tries again after a network error, a
 * timeout, 429 and 5xx, and fails at once on any other unsuccessful answer. It does not follow redirects.
 */
export function createFetchUrl({
  origins = [],
  loopback = 'open',
  backoff = { firstMs: 250, longestMs: 10_000 },
  fetch = globalThis.fetch,
}: FetchUrlOptions) {
  const isAllowed = (url: string) => {
    if (!URL.canParse(url)) return false;
    const { hostname, origin } = new URL(url);
    return origins.includes(origin) || (loopback === 'open' && isLoopback(hostname));
  };
  return defineJob({
    name: 'fetch-url',
    input: knownMembers('member of the input', {
      url: z
        .url({ protocol: /^https?$/ })
        .max(2048)
        .refine(isPlain, { error: 'must not hold a user name or password' })
        .refine(isAllowed, { error: 'is of an origin that is not allowed' }),
      attempts: z.int().min(1).max(20).default(5),
      /** The timeout of one try, including its body. */
      timeoutMs: z.int().min(1).max(300_000).default(10_000),
    }),
    output: outputSchema,
    run: (step, { url, attempts, timeoutMs }) =>
      step.run('fetch', async (signal) => {
        // The service may have restarted with fewer origins.
        if (!isAllowed(url)) throw new Error(`${new URL(url).origin} is not allowed`);
        for (let tries = 1; ; tries += 1) {
          const outcome = await tryOnce(url, { fetch, signal, timeoutMs });
          if (outcome.kind === 'fetched') {
            const { status, bytes, sha256 } = outcome;
            return { status, bytes, sha256, tries };
          }
          const { reason, retryAfterMs } = outcome;
          step.log.warn(`try ${tries} of ${attempts} failed: ${reason}`, { tries, reason });
          if (tries === attempts) throw new Error(`gave up after ${attempts} tries: ${reason}`);
          const pauseMs = retryAfterMs ?? backoffMs(tries, backoff);
          await setTimeout(pauseMs, undefined, { signal });
        }
      }),
  });
}

async function tryOnce(
  url: string,
  { fetch, ...limits }: { fetch: typeof globalThis.fetch; signal: AbortSignal; timeoutMs: number },
): Promise<Outcome> {
  const signal = AbortSignal.any([limits.signal, AbortSignal.timeout(limits.timeoutMs)]);
  let response: Response;
  let body: { bytes: number; sha256: string } | undefined;
  try {
    response = await fetch(url, { redirect: 'manual', signal });
    if (response.ok) body = await digest(response);
    else await response.body?.cancel();
  } catch (error) {
    if (error instanceof BodyTooLargeError) throw error;
    limits.signal.throwIfAborted();
    return {
      kind: 'retry',
      reason: signal.aborted ? `no answer in ${limits.timeoutMs} ms` : networkReason(error),
    };
  }
  if (body !== undefined) return { kind: 'fetched', status: response.status, ...body };
  const reason = `the server answered ${response.status}`;
  if (response.status !== 429 && response.status < 500) throw new Error(`${reason}: not tried again`);
  return { kind: 'retry', reason, retryAfterMs: retryAfterMs(response.headers.get('retry-after')) };
}

class BodyTooLargeError extends Error {}

async function digest(response: Response): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES)
      throw new BodyTooLargeError(`the body is larger than ${MAX_BODY_BYTES} bytes`);
    hash.update(chunk);
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Node's fetch hides the reason behind "fetch failed". */
function networkReason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return 'network error';
  return cause.message || ('code' in cause ? String(cause.code) : cause.name);
}

/** Parses seconds or a date (RFC 9110, section 10.2.3). Returns ms from now, at most a minute. */
function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** The pause doubles with each try. Its random half keeps many callers from returning at the same moment. */
function backoffMs(tries: number, { firstMs, longestMs }: { firstMs: number; longestMs: number }): number {
  const full = Math.min(firstMs * 2 ** (tries - 1), longestMs);
  return full * (0.5 + Math.random() / 2);
}

function isPlain(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password } = new URL(url);
  return username === '' && password === '';
}

/** Expects a host name from `URL`, which normalizes every spelling of an IPv4 address. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
