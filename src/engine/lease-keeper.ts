import type { Clock } from '../core/clock.ts';
import type { Store } from '../core/store.ts';
import type { EventBus } from './event-bus.ts';
import type { RunControl } from './run-control.ts';

/**
 * Keeps a worker's leases: one statement for all of them at each interval.
 * A lease that isn't renewed was lost, and its execution is stopped.
 */
export class LeaseKeeper {
  readonly #store: Store;
  readonly #bus: EventBus;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #held = new Map<string, RunControl>();
  #cancelBeat: (() => void) | undefined;
  #isBeating = false;

  constructor(deps: { store: Store; bus: EventBus; clock: Clock; heartbeatIntervalMs: number }) {
    this.#store = deps.store;
    this.#bus = deps.bus;
    this.#clock = deps.clock;
    this.#intervalMs = deps.heartbeatIntervalMs;
  }

  hold(control: RunControl): void {
    this.#held.set(control.lease.runId, control);
    this.#scheduleBeat();
  }

  release(control: RunControl): void {
    if (this.#held.get(control.lease.runId) === control) this.#held.delete(control.lease.runId);
    if (this.#held.size > 0) return;
    this.#cancelBeat?.();
    this.#cancelBeat = undefined;
  }

  #scheduleBeat(): void {
    if (this.#isBeating) return;
    this.#cancelBeat ??= this.#clock.schedule(this.#intervalMs, () => void this.#beat());
  }

  async #beat(): Promise<void> {
    this.#cancelBeat = undefined;
    this.#isBeating = true;
    const controls = [...this.#held.values()];
    try {
      const kept = await this.#store.renew(controls.map(({ lease }) => lease));
      const keptIds = new Set(kept.map(({ runId }) => runId));
      for (const control of controls) {
        // One that ended meanwhile is not missed, though its row was not renewed.
        const isHeld = this.#held.get(control.lease.runId) === control;
        if (isHeld && !keptIds.has(control.lease.runId)) control.stop('lease-lost');
      }
    } catch (error) {
      this.#bus.reportWorkerError({ error, context: 'heartbeat' });
    } finally {
      this.#isBeating = false;
      if (this.#held.size > 0) this.#scheduleBeat();
    }
  }
}
