import { onAbort } from '../../core/abort-listeners.ts';
import { CALLER_BUDGET_MS } from '../../core/call.ts';
import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { Intake } from './claiming/intake.ts';
import type { Slot } from './slots/slot.ts';
import type { Slots } from './slots/slots.ts';

export interface ShiftOptions {
  /**
   * When the shift has no more to do: when a claim finds nothing, or when a claim finds nothing and
   * all slots are empty.
   */
  readonly endsWhen: 'nothing-found' | 'idle';
  readonly maxRuns: number;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

interface ShiftDeps {
  readonly intake: Intake;
  readonly slots: Slots;
  readonly clock: Clock;
  /** Whether the worker's loop will continue what the shift leaves unfinished. */
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
 * Works the queue until there is no more to do, or until the budget is exhausted: its time is up, or
 * its signal aborts. Then nothing more is claimed, and each of its runs is handed back at its next
 * step. If the worker is started, it keeps the runs instead.
 *
 * Shifts and the worker's loop may work at the same time. They share the slots.
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
   * Resolves with the number of claimed runs, when they have ended or were handed back.
   *
   * @throws {DatabaseUnavailableError} if a claim fails, or if it had to wait too long for other
   * claims. It rejects when its earlier runs are over.
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

  /** Claims nothing more. Running runs continue to their end. */
  close(): void {
    if (this.#state === 'open') this.#state = 'closed';
    this.#wake();
  }

  /** Something new may be found. */
  expectMore(): void {
    this.#mayFindMore = true;
    this.#wake();
  }

  /** A slot has become free. */
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
    /** When the shift stops waiting for the database to answer the claim that is due. */
    let deadlineMs: number | undefined;
    while (this.#state === 'open' && this.#taken < maxRuns) {
      // When all its runs have ended, it claims once more, because other processes may have triggered runs.
      const isLookDue = this.#mayFindMore || slots.taken === 0;
      if (slots.free <= 0 || !isLookDue) {
        deadlineMs = undefined;
        await this.#change();
        continue;
      }
      deadlineMs ??= clock.monotonicMs() + CALLER_BUDGET_MS;
      // The free slots are reserved for another claim, which waits for the database.
      if (intake.free <= 0 || intake.isWaiting) {
        if (clock.monotonicMs() >= deadlineMs) throw new DatabaseUnavailableError('The database stayed busy');
        await this.#changeUntil(deadlineMs);
        continue;
      }
      const taken = await intake.take({
        atMost: maxRuns - this.#taken,
        deadlineMs,
        looksForDue: () => true,
        isWanted: () => this.#state === 'open' || this.#deps.isLoopRunning(),
        onLeave: () => {
          this.#mayFindMore = false;
        },
      });
      if (taken === undefined) continue;
      deadlineMs = undefined;
      for (const slot of taken.slots) this.#follow(slot);
      if (taken.isEmpty && !taken.hasMore) {
        if (endsWhen === 'nothing-found' || (slots.taken === 0 && !this.#mayFindMore)) return;
      } else {
        this.#mayFindMore ||= taken.hasMore;
      }
    }
  }

  #follow(slot: Slot): void {
    this.#taken++;
    this.#running.add(slot);
    // The budget may have been exhausted since its claim.
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

  /** Like {@link #change}, but only until the deadline. */
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
