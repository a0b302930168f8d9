import { type ApiKeys, createApiKeys } from './api-keys.ts';
import type { Config } from './config.ts';
import { RateLimit } from './rate-limit.ts';

/** Access control as options of `createDurablyApp`. Create it once: apps that share it also share the rate limit. */
export interface Access {
  readonly apiKeys: ApiKeys | undefined;
  readonly rateLimit: RateLimit | undefined;
  readonly corsOrigins: readonly string[];
  readonly allowedHosts: readonly string[] | 'any' | undefined;
}

/**
 * With keys, callers may come from other machines. Jobs then reach this machine's own addresses only if they
 * are listed.
 */
export function fetchLoopback({ apiKeys }: Access): 'open' | 'named' {
  return apiKeys === undefined ? 'open' : 'named';
}

/** Takes the keys out of the configuration: only their hashes stay in memory. */
export async function createAccess(config: Config): Promise<Access> {
  const { DURABLY_API_KEYS: pairs, DURABLY_RATE_LIMIT: limit } = config;
  const allowedHosts = allowedHostsOf(config);
  delete config.DURABLY_API_KEYS;
  return {
    apiKeys: pairs && (await createApiKeys(pairs)),
    rateLimit: limit === undefined ? undefined : new RateLimit(limit),
    corsOrigins: config.DURABLY_CORS_ORIGINS,
    allowedHosts,
  };
}

/** Without keys, only the host check keeps web pages from using the service through a visitor's browser. */
function allowedHostsOf(config: Config): Access['allowedHosts'] {
  if (config.DURABLY_API_KEYS !== undefined) return undefined;
  return config.DURABLY_INSECURE ? 'any' : [config.HOST];
}
