import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Registry } from '../jobs/registry.ts';
import type { Scheduler } from '../schedules/scheduler.ts';
import type { Intake } from './intake.ts';
import { Pace } from './pace.ts';

interface ClaimLoopDeps {
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly intake: Intake;
  readonly schedules: Pick<Scheduler, 'look'>;
  readonly maxConcurrentRuns: number;
  readonly pollingIntervalMs: number;
  /** Whether the worker is running. Otherwise the loop claims nothing. */
  readonly isRunning: () => boolean;
  /** Called when the database is gone for good. */
  readonly onDatabaseGone: () => void;
}

/**
 * A running worker's claims. It claims when it is woken, when a slot frees and the last claim left
 * runs behind, and otherwise once per polling interval.
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
    if (intake.free <= 0) {
      this.#lookLater();
      return;
    }
    this.#cancelPoll?.();
    const { waitMs } = this.#pace;
    if (waitMs > 0) {
      this.#cancelPoll = clock.schedule(waitMs, () => this.look());
      return;
    }
    void this.#claim().finally(() => this.look());
  }

  /** Without a free slot there are no claims, and schedules are looked for once per polling interval. */
  #lookLater(): void {
    if (this.#cancelLook !== undefined) return;
    const { clock, schedules, isRunning, intake } = this.#deps;
    this.#cancelLook = clock.schedule(this.#pace.lookWaitMs, () => {
      void (async () => {
        if (isRunning() && intake.free <= 0 && this.#pace.isLookDue) {
          this.#pace.looked();
          await schedules.look();
        }
        this.#cancelLook = undefined;
        if (isRunning() && intake.free <= 0) this.#lookLater();
      })();
    });
  }

  async #claim(): Promise<void> {
    const { bus, intake, isRunning, maxConcurrentRuns, onDatabaseGone } = this.#deps;
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
      bus.reportWorkerError({ error, context: 'claim' });
      if (error instanceof DatabaseUnavailableError && error.permanent) onDatabaseGone();
    } finally {
      this.#pace.claimEnds();
    }
  }
}
