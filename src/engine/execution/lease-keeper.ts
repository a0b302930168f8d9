import type { Store } from '../../core/store.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { RunControl } from './run-control.ts';

/** A database that takes longer to answer counts as out of reach. */
const MAX_ANSWER_MS = 1_000;

interface Held {
  readonly control: RunControl;
  /** When the last confirmed claim or renewal was sent, on the monotonic clock. */
  confirmedAtMs: number;
}

/** The next renewal of the leases. */
type Beat =
  /** No lease is held. */
  | { readonly kind: 'none' }
  | { readonly kind: 'scheduled'; readonly cancel: () => void }
  /** It was sent and is not answered yet. */
  | { readonly kind: 'under-way' };

const NO_BEAT: Beat = { kind: 'none' };
const BEAT_UNDER_WAY: Beat = { kind: 'under-way' };

/**
 * Renews a worker's leases, all in one statement for each interval. If the database does not renew a
 * lease, the run belongs to another worker, and its execution is stopped. It is also stopped if
 * nothing has confirmed the lease for `staleThresholdMs`, because another worker may have taken the
 * run over.
 */
export class LeaseKeeper {
  readonly #store: Store;
  readonly #bus: EventBus;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #staleThresholdMs: number;
  readonly #held = new Map<string, Held>();
  #beat = NO_BEAT;
  #cancelExpiry: (() => void) | undefined;
  /** When the first unanswered renewal was sent. Undefined if all were answered. */
  #unansweredSinceMs: number | undefined;

  constructor(deps: {
    store: Store;
    bus: EventBus;
    clock: Clock;
    heartbeatIntervalMs: number;
    staleThresholdMs: number;
  }) {
    this.#store = deps.store;
    this.#bus = deps.bus;
    this.#clock = deps.clock;
    this.#intervalMs = deps.heartbeatIntervalMs;
    this.#staleThresholdMs = deps.staleThresholdMs;
  }

  /** Keeps the lease of a claim that was sent at `claimedAtMs`, on the monotonic clock. */
  hold(control: RunControl, { claimedAtMs }: { claimedAtMs: number }): void {
    const held: Held = { control, confirmedAtMs: claimedAtMs };
    this.#held.set(control.lease.runId, held);
    this.#scheduleBeat();
    this.#scheduleExpiry(this.#expiresAtMs(held));
  }

  release(control: RunControl): void {
    if (this.#held.get(control.lease.runId)?.control === control) this.#held.delete(control.lease.runId);
    if (this.#held.size > 0) return;
    this.#cancelScheduledBeat();
    this.#cancelExpiry?.();
    this.#cancelExpiry = undefined;
  }

  #scheduleBeat(): void {
    if (this.#beat.kind !== 'none') return;
    const cancel = this.#clock.schedule(this.#intervalMs, () => void this.#renew());
    this.#beat = { kind: 'scheduled', cancel };
  }

  #cancelScheduledBeat(): void {
    if (this.#beat.kind !== 'scheduled') return;
    this.#beat.cancel();
    this.#beat = NO_BEAT;
  }

  async #renew(): Promise<void> {
    this.#cancelScheduledBeat();
    this.#beat = BEAT_UNDER_WAY;
    const renewed = [...this.#held.values()];
    const sentAtMs = this.#clock.monotonicMs();
    this.#unansweredSinceMs ??= sentAtMs;
    try {
      const kept = await this.#store.renew(renewed.map(({ control }) => control.lease));
      this.#unansweredSinceMs = undefined;
      const keptIds = new Set(kept.map(({ runId }) => runId));
      for (const held of renewed) {
        if (keptIds.has(held.control.lease.runId)) held.confirmedAtMs = sentAtMs;
        // A run that ended meanwhile is not renewed either, and was not lost.
        else if (this.#isHeld(held)) held.control.stop('lease-lost');
      }
    } catch (error) {
      this.#bus.reportWorkerError({ error, context: 'heartbeat' });
    } finally {
      this.#beat = NO_BEAT;
      if (this.#held.size > 0) this.#scheduleBeat();
    }
  }

  #isHeld(held: Held): boolean {
    return this.#held.get(held.control.lease.runId) === held;
  }

  #expiresAtMs({ confirmedAtMs }: Held): number {
    return confirmedAtMs + this.#staleThresholdMs;
  }

  #scheduleExpiry(dueMs: number): void {
    const waitMs = Math.max(0, dueMs - this.#clock.monotonicMs());
    this.#cancelExpiry ??= this.#clock.schedule(waitMs, () => {
      this.#cancelExpiry = undefined;
      this.#checkExpiry();
    });
  }

  #checkExpiry(): void {
    const nowMs = this.#clock.monotonicMs();
    const held = [...this.#held.values()];
    const expired = held.filter((one) => this.#expiresAtMs(one) <= nowMs);
    if (expired.length > 0 && !this.#isOutOfReach(nowMs)) {
      // This process itself was slow or stopped, so it asks the database about its runs.
      if (this.#beat.kind !== 'under-way') void this.#renew();
      this.#scheduleExpiry(nowMs + this.#maxAnswerMs);
      return;
    }
    for (const { control } of expired) control.stop('lease-expired');
    const others = held.filter((one) => !expired.includes(one));
    if (others.length > 0) this.#scheduleExpiry(Math.min(...others.map((one) => this.#expiresAtMs(one))));
  }

  #isOutOfReach(nowMs: number): boolean {
    return this.#unansweredSinceMs !== undefined && nowMs - this.#unansweredSinceMs >= this.#maxAnswerMs;
  }

  get #maxAnswerMs(): number {
    return Math.min(MAX_ANSWER_MS, this.#intervalMs);
  }
}
