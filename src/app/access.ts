import { type ApiKeys, createApiKeys } from './api-keys.ts';
import type { Config } from './config.ts';
import { RateLimit } from './rate-limit.ts';

/** Who may come, as options of `createDurablyApp`. Made once: the apps that share it count requests together. */
export interface Access {
  readonly apiKeys: ApiKeys | undefined;
  readonly rateLimit: RateLimit | undefined;
  readonly corsOrigins: readonly string[];
  readonly allowedHosts: readonly string[] | 'any' | undefined;
}

/** Behind keys the service may be reached from elsewhere: a caller's way to what only this machine reaches must be opened by name. */
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

/** While anyone is served, browsers must not be anyone's tool. */
function allowedHostsOf(config: Config): Access['allowedHosts'] {
  if (config.DURABLY_API_KEYS !== undefined) return undefined;
  return config.DURABLY_INSECURE ? 'any' : [config.HOST];
}
