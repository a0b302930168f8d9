import type { Config } from '../app/config.ts';
import type { Logger } from '../core/logger.ts';
import type { DurablyPlugin } from '../core/plugins/plugin.ts';
import type { DurablyOptions } from '../durably-options.ts';
import { createCodec } from '../plugins/encryption/codec.ts';

type InstanceSettings = Pick<
  Config,
  | 'DURABLY_POLLING_INTERVAL_MS'
  | 'DURABLY_HEARTBEAT_INTERVAL_MS'
  | 'DURABLY_STALE_THRESHOLD_MS'
  | 'DURABLY_CONCURRENCY'
  | 'DURABLY_MAX_RESULT_BYTES'
  | 'DURABLY_ERROR_DETAIL'
  | 'DURABLY_RETAIN_RUNS'
  | 'DURABLY_ENCRYPTION_KEYS'
>;

/** The instance options that come from the environment, for Node and for Workers. */
export function instanceOptions(
  config: InstanceSettings,
  logger: Logger,
): Omit<DurablyOptions, 'dialect' | 'jobs'> & { readonly use: readonly DurablyPlugin[] } {
  const { DURABLY_ENCRYPTION_KEYS: keys } = config;
  return {
    pollingInterval: config.DURABLY_POLLING_INTERVAL_MS,
    heartbeatInterval: config.DURABLY_HEARTBEAT_INTERVAL_MS,
    staleThreshold: config.DURABLY_STALE_THRESHOLD_MS,
    maxConcurrentRuns: config.DURABLY_CONCURRENCY,
    maxResultBytes: config.DURABLY_MAX_RESULT_BYTES,
    errorDetail: config.DURABLY_ERROR_DETAIL,
    retainRuns: config.DURABLY_RETAIN_RUNS,
    logger,
    use: keys === undefined ? [] : [createCodec(keys)],
  };
}
