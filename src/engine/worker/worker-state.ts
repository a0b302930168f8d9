import type { ErrorDetailMode } from '../../core/errors/error-detail.ts';
import type { Store } from '../../core/store.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { RunLog } from '../events/run-log.ts';
import type { Housekeeping } from '../housekeeping.ts';
import type { Registry } from '../jobs/registry.ts';
import type { Plugins } from '../plugins/plugins.ts';

/** What a worker needs of its instance. */
export interface WorkerDeps {
  readonly store: Store;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly housekeeping: Housekeeping;
  readonly log: RunLog;
  readonly errorDetail: ErrorDetailMode;
  readonly plugins: Plugins;
}

/** What a worker is doing. */
export type WorkerState =
  /** It claims nothing by itself, and may be started. */
  | { readonly kind: 'stopped' }
  /** Its loop claims runs. */
  | { readonly kind: 'running' }
  | Stopping
  /** The database is gone for good. The worker claims nothing by itself, and may be started. */
  | { readonly kind: 'failed' }
  /** It was stopped for good. Nothing is claimed any more, by its loop or on demand. */
  | { readonly kind: 'retired' };

/** It claims nothing, and waits for its runs. */
export interface Stopping {
  readonly kind: 'stopping';
  /**
   * What it becomes when the stop is over. The last call of `start` or `stop` decides, unless a stop
   * was final.
   */
  next: 'stopped' | 'running' | 'retired';
  /** Resolves when the stop is over. */
  over: Promise<void>;
}

/** Nothing starts the worker again. */
export function isRetired(state: WorkerState): boolean {
  return state.kind === 'retired' || (state.kind === 'stopping' && state.next === 'retired');
}
