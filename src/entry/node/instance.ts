import { type Access, fetchLoopback } from '../../app/access.ts';
import type { Config } from '../../app/config.ts';
import type { Database } from '../../app/database.ts';
import { consoleLogger } from '../../core/logger.ts';
import { createDurably } from '../../create-durably.ts';
import { createJobs } from '../../jobs/index.ts';
import { logError } from './report.ts';

/** The durably instance of the service, with the service's own jobs. */
export function createInstance(config: Config, { dialect }: Database, access: Access) {
  const durably = createDurably({
    dialect,
    pollingInterval: config.DURABLY_POLLING_INTERVAL_MS,
    heartbeatInterval: config.DURABLY_HEARTBEAT_INTERVAL_MS,
    staleThreshold: config.DURABLY_STALE_THRESHOLD_MS,
    maxConcurrentRuns: config.DURABLY_CONCURRENCY,
    maxResultBytes: config.DURABLY_MAX_RESULT_BYTES,
    errorDetail: config.DURABLY_ERROR_DETAIL,
    logger: consoleLogger,
    jobs: createJobs({
      dataDir: config.DURABLY_DATA_DIR,
      fetchOrigins: config.DURABLY_FETCH_ORIGINS,
      fetchLoopback: fetchLoopback(access),
    }),
  });
  durably.onError((error) => logError('event listener', error));
  return durably;
}
