import type { Config } from '../../app/config.ts';
import type { Database } from '../../app/database.ts';
import { createDurably } from '../../create-durably.ts';
import { createJobs } from '../../jobs/index.ts';
import { logError } from './report.ts';

/** The durably instance of the service, with the service's own jobs. */
export function createInstance(config: Config, { dialect }: Database) {
  const durably = createDurably({
    dialect,
    pollingInterval: config.DURABLY_POLLING_INTERVAL_MS,
    heartbeatInterval: config.DURABLY_HEARTBEAT_INTERVAL_MS,
    staleThreshold: config.DURABLY_STALE_THRESHOLD_MS,
    maxConcurrentRuns: config.DURABLY_CONCURRENCY,
    jobs: createJobs({ dataDir: config.DURABLY_DATA_DIR, fetchOrigins: config.DURABLY_FETCH_ORIGINS }),
  });
  durably.on('worker:error', ({ context, error, runId }) => {
    logError(`worker failed at ${context}${runId === undefined ? '' : ` (${runId})`}`, error);
  });
  durably.onError((error) => logError('event listener', error));
  return durably;
}
