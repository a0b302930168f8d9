import type { Clock } from '../../core/clock.ts';
import type { Store } from '../../core/store.ts';
import type { Housekeeping } from '../chores.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { JournalFeed } from '../events/journal-feed.ts';
import type { Registry } from '../jobs/registry.ts';
import type { Worker } from '../worker/worker.ts';

/** All that this room needs of an instance. Each function of it takes the part that it uses. */
export interface RunsDeps {
  readonly store: Store;
  readonly registry: Registry;
  /** Woken when there is something to execute, told when a run is cancelled. */
  readonly worker: Worker;
  /** Told of what was committed. */
  readonly bus: EventBus;
  readonly feed: JournalFeed;
  readonly housekeeping: Housekeeping;
  /** Whether the instance has a loop, which also does the chores. */
  readonly isResident: boolean;
  readonly clock: Clock;
  /** An input takes so many bytes as JSON at most. */
  readonly maxInputBytes: number;
}
