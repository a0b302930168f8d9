import { newWorkerId } from '../core/id.ts';
import type { NotedWorker } from '../core/stats/worker-info.ts';
import type { Store } from '../core/store.ts';
import type { Clock } from '../core/time/clock.ts';
import { VERSION } from '../core/version.ts';
import type { Registry } from './jobs/registry.ts';

/** How often a resident worker says that it is there, at most; ms. */
const INTERVAL_MS = 20_000;
/** A worker that stops sooner says nothing. */
const FIRST_AFTER_MS = 2_000;
/** How long a stop waits for the database; ms. */
const FORGET_WITHIN_MS = 1_000;
/** Workers on demand may live for one request only, so they share a row. */
const ON_DEMAND = 'on-demand';

interface WorkerNotesDeps {
  readonly store: Pick<Store, 'noteWorker' | 'forgetWorker' | 'foldStats'>;
  readonly clock: Clock;
  readonly presence: 'resident' | 'on-demand';
  readonly registry: Pick<Registry, 'names'>;
  readonly slots: { readonly taken: number };
  readonly maxConcurrentRuns: number;
}

/**
 * Says now and then that the worker is there, for operators. What it writes leaves with a claim, so it takes no request of its
 * own. Nothing depends on it: if it fails, it is left out.
 */
export class WorkerNotes {
  readonly #deps: WorkerNotesDeps;
  #instance = '';
  /** When the next note is due, on the monotonic clock. */
  #dueMs = Number.POSITIVE_INFINITY;
  #isNoted = false;

  constructor(deps: WorkerNotesDeps) {
    this.#deps = deps;
  }

  /** The worker has started, or a shift begins. */
  begin(): void {
    const { clock, presence } = this.#deps;
    const isResident = presence === 'resident';
    this.#instance = isResident ? newWorkerId() : ON_DEMAND;
    if (isResident) this.#dueMs = clock.monotonicMs() + FIRST_AFTER_MS;
    // Several shifts in a row say it once.
    else if (this.#dueMs === Number.POSITIVE_INFINITY) this.#dueMs = clock.monotonicMs();
  }

  /** A claim is about to leave. */
  sendAlong(): void {
    const { clock, store, presence } = this.#deps;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#dueMs) return;
    this.#dueMs = nowMs + INTERVAL_MS;
    this.#isNoted = true;
    void store.noteWorker(this.#describe()).catch(() => undefined);
    // A worker on demand has no loop that would do it.
    if (presence === 'on-demand') void store.foldStats().catch(() => undefined);
  }

  #describe(): NotedWorker {
    const { presence, registry, slots, maxConcurrentRuns } = this.#deps;
    return {
      instance: this.#instance,
      version: VERSION,
      inUse: slots.taken,
      slots: maxConcurrentRuns,
      jobs: registry.names().sort(),
      isOnDemand: presence === 'on-demand',
    };
  }

  /** The worker has stopped. Never rejects. */
  async end(): Promise<void> {
    this.#dueMs = Number.POSITIVE_INFINITY;
    const { store, clock, presence } = this.#deps;
    if (!this.#isNoted || presence === 'on-demand') return;
    this.#isNoted = false;
    await store.forgetWorker(this.#instance, clock.monotonicMs() + FORGET_WITHIN_MS).catch(() => undefined);
  }
}
