import { type Access, fetchLoopback } from '../../app/access.ts';
import type { Config } from '../../app/config.ts';
import type { Database } from '../../app/database.ts';
import { createDurably } from '../../create-durably.ts';
import type { DurablyOptions } from '../../durably-options.ts';
import { createJobs } from '../../jobs/index.ts';
import { instanceOptions } from '../instance-options.ts';
import { logError } from '../log-error.ts';

/** The jobs that a service executes in place of its own. */
export type GivenJobs = NonNullable<DurablyOptions['jobs']>;

interface InstanceParts {
  readonly access: Access;
  readonly jobs?: GivenJobs | undefined;
  readonly use?: DurablyOptions['use'];
}

/** Creates the durably instance of the service, with the given jobs or its own. */
export function createInstance(config: Config, { dialect }: Database, { access, jobs, use }: InstanceParts) {
  const ownJobs = (): GivenJobs =>
    createJobs({
      dataDir: config.DURABLY_DATA_DIR,
      fetchOrigins: config.DURABLY_FETCH_ORIGINS,
      fetchLoopback: fetchLoopback(access),
    });
  const durably = createDurably({ dialect, ...instanceOptions(config), jobs: jobs ?? ownJobs(), use });
  durably.onError((error) => logError('event listener', error));
  return durably;
}
