import * as z from 'zod';
import type { WorkOptions } from '../../core/durably.ts';
import type { Store } from '../../core/store.ts';
import type { Clock } from '../../core/time/clock.ts';
import { checkNoOptions } from '../../core/validation/known-names.ts';
import { checkOptions, numberOption, type OptionSchemas } from '../../core/validation/option-types.ts';
import type { WebhookSubscriptions } from '../../core/webhooks/webhooks.ts';
import type { Worker } from './worker.ts';
import type { StopOptions } from './worker-options.ts';
import { checkWorkOptions } from './worker-options.ts';

/** A database that takes longer to answer a health check counts as unhealthy, ms. */
const MAX_PROBE_MS = 2_000;

const STOP_OPTIONS: OptionSchemas<StopOptions> = {
  timeoutMs: numberOption((ms) => Number.isFinite(ms) && ms >= 0, 'a number of ms, 0 or more'),
  final: z.boolean('must be true or false'),
};

/** Starting, stopping, working on demand, and the health of an instance. */
export function createLifecycle({
  store,
  worker,
  clock,
  webhooks,
}: {
  store: Store;
  worker: Worker;
  clock: Clock;
  webhooks?: WebhookSubscriptions | undefined;
}) {
  const prepare = async () => {
    await store.migrate();
    if (webhooks !== undefined) await store.subscribe(webhooks);
  };
  let migrating: Promise<void> | undefined;
  const migrate = async () => {
    store.checkOpen();
    migrating ??= prepare();
    try {
      await migrating;
    } catch (error) {
      // So that the next call tries again.
      migrating = undefined;
      throw error;
    }
  };
  let probe: Promise<boolean> | undefined;
  const takesWrites = async () => {
    // Callers that ask at the same time share one probe.
    probe ??= store
      .ping()
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        probe = undefined;
      });
    let cancel: () => void = () => undefined;
    const tooLong = new Promise<boolean>((resolve) => {
      cancel = clock.schedule(MAX_PROBE_MS, () => resolve(false));
    });
    return await Promise.race([probe, tooLong]).finally(cancel);
  };
  return {
    migrate,
    start: () => worker.start(),
    async stop(options?: StopOptions) {
      checkOptions('stop option', options, STOP_OPTIONS);
      await worker.stop(options);
    },
    countRunning: () => worker.running,
    async init() {
      await migrate();
      // A request that arrives while the worker stops must not start it again.
      if (!worker.isStopping) worker.start();
    },
    async processOne(options?: unknown) {
      checkNoOptions('processOne', options);
      const taken = await worker.work({ ...checkWorkOptions({ maxRuns: 1 }), endsWhen: 'nothing-found' });
      return taken > 0;
    },
    async processUntilIdle(options?: WorkOptions) {
      return await worker.work({ ...checkWorkOptions(options), endsWhen: 'idle' });
    },
    async health() {
      const isFit = await takesWrites();
      const reason = isFit ? undefined : store.trouble();
      return { database: isFit, worker: worker.isAlive, ...(reason && { reason }) };
    },
  };
}
