import type { Store } from '../../core/store.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { JournalFeed } from '../events/journal-feed.ts';
import type { Housekeeping } from '../housekeeping.ts';
import type { Registry } from '../jobs/registry.ts';
import type { Plugins } from '../plugins/plugins.ts';
import type { Worker } from '../worker/worker.ts';

/** What the functions of this room need of an instance. Each takes the part that it uses. */
export interface RunsDeps {
  readonly store: Store;
  readonly registry: Registry;
  /** Woken when there is something to execute, and notified when a run is cancelled. */
  readonly worker: Worker;
  /** Notified of what was committed. */
  readonly bus: EventBus;
  readonly feed: JournalFeed;
  readonly housekeeping: Housekeeping;
  /** Whether the instance has a loop, which also does the chores. */
  readonly isResident: boolean;
  readonly clock: Clock;
  /** Called when a run is triggered, and for payloads. */
  readonly plugins: Plugins;
  /** The most bytes of JSON for an input. */
  readonly maxInputBytes: number;
}
