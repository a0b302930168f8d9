import type { Call } from '../core/call.ts';
import type { WorkerErrorContext } from '../core/errors/worker-error-context.ts';
import type { OldAge } from '../core/managing/retention.ts';
import type { BulkRun } from '../core/managing/run-bulk.ts';
import type { CancelledRun } from '../core/ownership/claim.ts';
import type { Store } from '../core/store.ts';
import type { EventBus } from './events/event-bus.ts';

const MINUTE_MS = 60 * 1000;
const HOUR_MS = 60 * MINUTE_MS;
/** How often old runs are looked for at most. */
const MIN_RETENTION_MS = 1_000;

/** Something that is done now and then. Any number of processes may do it at once. */
export interface Chore {
  readonly name: string;
  /** How a failure is reported. */
  readonly context: WorkerErrorContext;
  /** How often a resident worker does it. */
  readonly everyMs: number;
  /** How long after its start a resident worker does it for the first time. Default: `everyMs`. */
  readonly firstAfterMs?: number;
  /** How long after a failure a resident worker tries it again. Default: at its next time. */
  readonly againAfterMs?: number;
  /**
   * How many portions a worker on demand does after a shift, within the shift's budget, and after a
   * run was deleted. Such a worker has no loop, and its platform limits the requests.
   */
  readonly portionsOnDemand: { readonly afterShift: number; readonly afterDeletion: number };
  /**
   * Does one portion in one statement, so that no writer waits long. Returns whether there is more.
   *
   * @param call of the caller that waits for it, if there is one.
   */
  readonly run: (store: Store, bus: EventBus, call?: Call) => Promise<boolean>;
}

/** How many portions of cancellations a caller waits for. On demand, the platform limits the requests. */
export const CANCELLATIONS_NOW = { resident: 60, 'on-demand': 10 } as const;

export const REMAINS_OF_DELETED_RUNS: Chore = {
  name: 'remove the rows that deleted runs left over',
  context: 'purge',
  everyMs: HOUR_MS,
  // Rows that a crash left over are not urgent, so a start does not begin with them.
  firstAfterMs: 10 * MINUTE_MS,
  portionsOnDemand: { afterShift: Number.POSITIVE_INFINITY, afterDeletion: 10 },
  run: (store, _, call) => store.deletePortion(call),
};

export const RUNS_BELOW: Chore = {
  name: 'cancel the runs below a run that was cancelled, or whose time was up',
  context: 'cancel-below',
  // The worker that cancels asks for it. The interval finds what a worker left that vanished before it could ask.
  everyMs: 10_000,
  // The worker that vanished may have been this one, before its process was started again.
  firstAfterMs: 2_000,
  // Those runs go on meanwhile.
  againAfterMs: 1_000,
  portionsOnDemand: { afterShift: CANCELLATIONS_NOW['on-demand'], afterDeletion: 0 },
  run: async (store, bus, call) => {
    const { cancelled, more } = await store.cancelBelow(undefined, call);
    publishCancelled(bus, cancelled);
    return more;
  },
};

export function publishCancelled(bus: EventBus, cancelled: readonly CancelledRun[]): void {
  bus.publish(cancelled.map((run) => ({ run, note: { type: 'run:cancel' } })));
}

const LIMITS_OF_OTHERS: Chore = {
  name: 'learn whether other processes use limits',
  context: 'claim',
  // Until then this process does not claim the runs in their lines.
  everyMs: MINUTE_MS,
  portionsOnDemand: { afterShift: 0, afterDeletion: 0 },
  run: async (store) => {
    await store.noticeLimits();
    return false;
  },
};

/**
 * Adds the journal's new events to the stats. A process does it only after it has made events itself, so an idle one asks
 * nothing. The first time is for a process that vanished before it could.
 */
export function newStats(): Chore {
  let isBegun = false;
  let foldedUpTo = 0;
  return {
    name: 'add new events to the stats',
    context: 'stats',
    everyMs: 10_000,
    // On demand, a portion leaves with the claim of each shift.
    portionsOnDemand: { afterShift: 0, afterDeletion: 0 },
    run: async (store, bus) => {
      const { published } = bus;
      if (isBegun && published === foldedUpTo) return false;
      const hasMore = await store.foldStats();
      isBegun = true;
      if (!hasMore) foldedUpTo = published;
      return hasMore;
    },
  };
}

/** Removes runs that ended long ago, and then the rest of their rows. */
export function oldRuns(ages: readonly OldAge[]): Chore {
  const shortestMs = Math.min(...ages.map(({ olderThanMs }) => olderThanMs));
  return {
    name: 'remove old runs',
    context: 'purge',
    everyMs: Math.min(MINUTE_MS, Math.max(MIN_RETENTION_MS, shortestMs)),
    portionsOnDemand: { afterShift: Number.POSITIVE_INFINITY, afterDeletion: 0 },
    run: async (store, bus) => {
      const { runs } = await store.purgeRuns({ ages, limit: Number.MAX_SAFE_INTEGER });
      return await afterPurge(runs, store, bus);
    },
  };
}

/** Tells of deleted runs. If there were none, it removes a portion of what others left over. Whether there may be more. */
async function afterPurge(runs: readonly BulkRun[], store: Store, bus: EventBus): Promise<boolean> {
  bus.publish(runs.map((run) => ({ run, note: { type: 'run:delete' } })));
  return runs.length > 0 || (await store.deletePortion());
}

/** Removes deliveries of webhooks that ended long ago. Their other rows go with those of other deleted runs. */
export const OLD_DELIVERIES: Chore = {
  name: 'remove old deliveries of webhooks',
  context: 'purge',
  everyMs: HOUR_MS,
  firstAfterMs: MINUTE_MS,
  portionsOnDemand: { afterShift: 0, afterDeletion: 0 },
  run: async (store, bus) => await afterPurge(await store.purgeDeliveries(), store, bus),
};

/** In the order in which they are done when several are due. */
export const CHORES: readonly Chore[] = [
  RUNS_BELOW,
  LIMITS_OF_OTHERS,
  REMAINS_OF_DELETED_RUNS,
  {
    name: 'remove old run:delete rows, and throttles that are over',
    context: 'purge',
    everyMs: HOUR_MS,
    portionsOnDemand: { afterShift: 0, afterDeletion: 1 },
    run: async (store) => {
      const hasMore = await store.purgePortion();
      return (await store.forgetThrottles()) || hasMore;
    },
  },
];
