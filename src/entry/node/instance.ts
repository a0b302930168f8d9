import { type Access, fetchLoopback } from '../../app/access.ts';
import type { Config } from '../../app/config.ts';
import type { Database } from '../../app/database.ts';
import type { Webhooks } from '../../core/webhooks/webhooks.ts';
import { createDurably } from '../../create-durably.ts';
import type { DurablyOptions } from '../../durably-options.ts';
import { createJobs } from '../../jobs/index.ts';
import type { Metrics } from '../../plugins/metrics/metrics.ts';
import { instanceOptions } from '../instance-options.ts';
import { log } from './log.ts';

/** The jobs that a service executes in place of its own. */
export type GivenJobs = NonNullable<DurablyOptions['jobs']>;

interface InstanceParts {
  readonly access: Access;
  readonly jobs?: GivenJobs | undefined;
  readonly metrics?: Metrics | undefined;
  readonly webhooks?: Webhooks | undefined;
  /** Further plugins. */
  readonly use?: DurablyOptions['use'];
}

/** Creates the durably instance of the service, with the given jobs or its own. */
export function createInstance(
  config: Config,
  { dialect }: Database,
  { access, jobs, metrics, webhooks, use = [] }: InstanceParts,
) {
  const ownJobs = (): GivenJobs =>
    createJobs({
      dataDir: config.DURABLY_DATA_DIR,
      fetchOrigins: config.DURABLY_FETCH_ORIGINS,
      fetchLoopback: fetchLoopback(access),
    });
  const { use: fromSettings, ...options } = instanceOptions(config, log);
  const durably = createDurably({
    dialect,
    ...options,
    jobs: jobs ?? ownJobs(),
    use: [...use, ...(metrics === undefined ? [] : [metrics.plugin]), ...fromSettings],
    webhooks,
  });
  metrics?.watch(durably);
  durably.onError((error) => log.failure('event listener failed', error));
  return durably;
}
