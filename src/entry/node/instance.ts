import { type Access, fetchLoopback } from '../../app/access.ts';
import type { Config } from '../../app/config.ts';
import type { Database } from '../../app/database.ts';
import { createDurably } from '../../create-durably.ts';
import { createJobs } from '../../jobs/index.ts';
import { instanceOptions } from '../instance-options.ts';
import { logError } from '../log-error.ts';

/** Creates the durably instance of the service, with the service's own jobs. */
export function createInstance(config: Config, { dialect }: Database, access: Access) {
  const durably = createDurably({
    dialect,
    ...instanceOptions(config),
    jobs: createJobs({
      dataDir: config.DURABLY_DATA_DIR,
      fetchOrigins: config.DURABLY_FETCH_ORIGINS,
      fetchLoopback: fetchLoopback(access),
    }),
  });
  durably.onError((error) => logError('event listener', error));
  return durably;
}
