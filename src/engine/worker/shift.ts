import { onAbort } from '../../core/abort-listeners.ts';
import type { Clock } from '../../core/clock.ts';
import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import { CALLER_BUDGET_MS } from '../../core/store.ts';
import type { Intake } from './intake.ts';
import type { Slot } from './slot.ts';
import type { Slots } from './slots.ts';

export interface ShiftOptions {
  /** When there is no more to do: nothing is found, or nothing is found and every slot is empty. */
  readonly endsWhen: 'nothing-found' | 'idle';
  readonly maxRuns: number;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

interface ShiftDeps {
  readonly intake: Intake;
  readonly slots: Slots;
  readonly clock: Clock;
  /** Whether the worker's loop is there to go on with what the shift leaves unfinished. */
  readonly isLoopRunning: () => boolean;
}

/**
 * - `open`: claims runs.
 * - `closed`: claims no more; its runs go on to their end.
 * - `exhausted`: its budget is used up; its runs are handed back at their next step.
 * - `taken-over`: its budget is used up, and the worker's loop goes on with its runs.
 */
type ShiftState = 'open' | 'closed' | 'exhausted' | 'taken-over';

/**
 * Works the queue until there is no more to do, or the budget is exhausted: its
 * time is up or its signal aborts. Then nothing more is claimed, and each of its
 * runs is handed back at its next step, unless the worker is started: a started
 * worker just goes on with them.
 *
 * Shifts and the worker's loop may be at work at once: they share the slots.
 */
export class Shift {
  readonly #deps: ShiftDeps;
  readonly #options: ShiftOptions;
  readonly #running = new Set<Slot>();
  #taken = 0;
  #mayFindMore = true;
  #state: ShiftState = 'open';
  #hasChanged = false;
  #noteChange: () => void = () => undefined;

  constructor(deps: ShiftDeps, options: ShiftOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Resolves with the number of runs it took, when they have ended or were handed back.
   *
   * @throws {DatabaseUnavailableError} if a claim fails, or other claims keep it waiting for as
   * long as it would wait for its own; when the runs taken before it are over.
   */
  async work(): Promise<number> {
    const { timeoutMs, signal } = this.#options;
    const cancelTimeout =
      timeoutMs === undefined ? undefined : this.#deps.clock.schedule(timeoutMs, this.#exhaust);
    const stopListening = signal && onAbort(signal, this.#exhaust);
    if (signal?.aborted) this.#exhaust();
    try {
      await this.#takeRuns();
      return this.#taken;
    } finally {
      while (this.#running.size > 0 && this.#state !== 'taken-over') await this.#change();
      cancelTimeout?.();
      stopListening?.();
    }
  }

  /** Claims nothing more; what runs goes on to its end. */
  close(): void {
    if (this.#state === 'open') this.#state = 'closed';
    this.#wake();
  }

  /** There may be something new to find. */
  expectMore(): void {
    this.#mayFindMore = true;
    this.#wake();
  }

  /** A slot is free. */
  noteFreed(): void {
    this.#wake();
  }

  readonly #exhaust = (): void => {
    this.#state = this.#deps.isLoopRunning() ? 'taken-over' : 'exhausted';
    if (this.#state === 'exhausted') for (const slot of this.#running) slot.drain();
    this.#wake();
  };

  async #takeRuns(): Promise<void> {
    const { intake, slots, clock } = this.#deps;
    const { endsWhen, maxRuns } = this.#options;
    /** When the claim that is due has waited long enough for the database. */
    let deadlineMs: number | undefined;
    while (this.#state === 'open' && this.#taken < maxRuns) {
      // When everything has ended, look once more: others may have triggered something.
      const isLookDue = this.#mayFindMore || slots.taken === 0;
      if (slots.free <= 0 || !isLookDue) {
        deadlineMs = undefined;
        await this.#change();
        continue;
      }
      deadlineMs ??= clock.monotonicMs() + CALLER_BUDGET_MS;
      // The free slots are kept for another claim, which waits for the database.
      if (intake.free <= 0 || intake.isWaiting) {
        if (clock.monotonicMs() >= deadlineMs) throw new DatabaseUnavailableError('The database stayed busy');
        await this.#changeUntil(deadlineMs);
        continue;
      }
      const taken = await intake.take({
        atMost: maxRuns - this.#taken,
        deadlineMs,
        isWanted: () => this.#state === 'open' || this.#deps.isLoopRunning(),
        onLeave: () => {
          this.#mayFindMore = false;
        },
      });
      if (taken === undefined) continue;
      deadlineMs = undefined;
      for (const slot of taken.slots) this.#follow(slot);
      if (taken.isEmpty) {
        if (endsWhen === 'nothing-found' || (slots.taken === 0 && !this.#mayFindMore)) return;
      } else {
        this.#mayFindMore ||= taken.hasMore;
      }
    }
  }

  #follow(slot: Slot): void {
    this.#taken++;
    this.#running.add(slot);
    // The budget may have been exhausted between its claim and now.
    if (this.#state === 'exhausted') slot.drain();
    void slot.done.then(() => {
      this.#running.delete(slot);
      this.#wake();
    });
  }

  /** Resolves at the next change, or at once if there was one since the last wait. */
  async #change(): Promise<void> {
    if (!this.#hasChanged) {
      await new Promise<void>((resolve) => {
        this.#noteChange = resolve;
      });
    }
    this.#hasChanged = false;
  }

  /** As {@link #change}, or until the time is up. */
  async #changeUntil(deadlineMs: number): Promise<void> {
    const { clock } = this.#deps;
    const cancel = clock.schedule(Math.max(0, deadlineMs - clock.monotonicMs()), () => this.#wake());
    await this.#change();
    cancel();
  }

  #wake(): void {
    this.#hasChanged = true;
    this.#noteChange();
  }
}
