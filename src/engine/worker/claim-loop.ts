import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Registry } from '../jobs/registry.ts';
import type { Intake } from './claiming/intake.ts';
import { Pace } from './pace.ts';

interface ClaimLoopDeps {
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly intake: Intake;
  readonly maxConcurrentRuns: number;
  readonly pollingIntervalMs: number;
  /** Whether the worker is running. Otherwise the loop claims nothing. */
  readonly isRunning: () => boolean;
  /** Called when the database is gone for good. */
  readonly onDatabaseGone: () => void;
}

/**
 * A running worker's claims. It claims when it is woken, when a slot frees and the last claim left
 * runs behind, and otherwise once per polling interval. While all slots are taken it only looks for
 * what is due.
 */
export class ClaimLoop {
  readonly #deps: ClaimLoopDeps;
  readonly #pace: Pace;
  #cancelPoll: (() => void) | undefined;
  /** Until the next look for schedules, which needs no slot. */
  #cancelLook: (() => void) | undefined;

  constructor(deps: ClaimLoopDeps) {
    this.#deps = deps;
    this.#pace = new Pace(deps);
  }

  start(): void {
    this.#pace.reset();
  }

  stop(): void {
    this.#cancelPoll?.();
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  /** Something may have to be executed. The next claim waits only for a free slot. */
  wake(): void {
    this.#pace.wake();
  }

  /**
   * Requests a claim if one is due. What it asks for is decided when it leaves, so it cannot be
   * requested too early.
   */
  look(): void {
    const { isRunning, intake, clock, registry } = this.#deps;
    // Registering a job wakes the worker.
    if (!isRunning() || intake.isWaiting || registry.isEmpty) return;
    if (intake.free <= 0) return this.#lookForDueLater();
    this.#cancelPoll?.();
    const { waitMs } = this.#pace;
    if (waitMs > 0) {
      this.#cancelPoll = clock.schedule(waitMs, () => this.look());
      return;
    }
    void this.#claim().finally(() => this.look());
  }

  /** Without a free slot there are no claims that look for what is due. */
  #lookForDueLater(): void {
    const { clock, intake, isRunning } = this.#deps;
    const waitMs = this.#pace.lookWaitMs;
    if (this.#cancelLook !== undefined || waitMs === Number.POSITIVE_INFINITY) return;
    this.#cancelLook = clock.schedule(Math.max(0, waitMs), () => {
      // A claim may have looked meanwhile.
      const isDue = isRunning() && intake.free <= 0 && this.#pace.lookWaitMs <= 0;
      void (isDue ? this.#lookForDue() : Promise.resolve()).finally(() => {
        this.#cancelLook = undefined;
        this.look();
      });
    });
  }

  async #lookForDue(): Promise<void> {
    const { intake } = this.#deps;
    try {
      const { pending, moreDue } = await intake.wakeDue();
      if (pending > 0) this.#pace.wake();
      this.#pace.lookSucceeded({ hasMore: moreDue });
    } catch (error) {
      this.#pace.lookFailed();
      this.#reportFailure(error);
    }
  }

  async #claim(): Promise<void> {
    const { intake, isRunning, maxConcurrentRuns } = this.#deps;
    try {
      await intake.take({
        atMost: maxConcurrentRuns,
        isWanted: isRunning,
        looksForDue: () => this.#pace.isLookDue,
        onLeave: () => this.#pace.claimBegins(),
        onAnswer: (answer) => this.#pace.claimSucceeded(answer),
      });
    } catch (error) {
      this.#pace.claimFailed();
      this.#reportFailure(error);
    } finally {
      this.#pace.claimEnds();
    }
  }

  #reportFailure(error: unknown): void {
    const { bus, onDatabaseGone } = this.#deps;
    bus.reportWorkerError({ error, context: 'claim' });
    if (error instanceof DatabaseUnavailableError && error.permanent) onDatabaseGone();
  }
}
