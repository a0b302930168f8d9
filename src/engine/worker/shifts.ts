import type { Clock } from '../../core/time/clock.ts';
import type { Housekeeping } from '../housekeeping.ts';
import type { Scheduler } from '../schedules/scheduler.ts';
import type { WorkerNotes } from '../worker-notes.ts';
import type { Intake } from './claiming/intake.ts';
import { Shift, type ShiftOptions } from './shift.ts';
import type { Slots } from './slots/slots.ts';

interface ShiftsDeps {
  readonly intake: Intake;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly housekeeping: Housekeeping;
  readonly schedules: Scheduler;
  readonly notes: WorkerNotes;
  readonly presence: 'resident' | 'on-demand';
  /** Whether the worker's loop is running: it continues what a shift leaves unfinished. */
  readonly isLoopRunning: () => boolean;
  /** Called when the last shift is over. */
  readonly onOver: () => void;
}

/** A worker's shifts that are under way, and the chores that they do for a worker without a loop. */
export class Shifts {
  readonly #deps: ShiftsDeps;
  readonly #underWay = new Set<Shift>();

  constructor(deps: ShiftsDeps) {
    this.#deps = deps;
  }

  get areOver(): boolean {
    return this.#underWay.size === 0;
  }

  /** Something new may be found. */
  expectMore(): void {
    for (const shift of this.#underWay) shift.expectMore();
  }

  /** A slot has become free. */
  noteFreed(): void {
    for (const shift of this.#underWay) shift.noteFreed();
  }

  /** They claim nothing more. */
  close(): void {
    for (const shift of this.#underWay) shift.close();
  }

  /**
   * Works a {@link Shift} and returns how many runs it claimed.
   *
   * @throws {DatabaseUnavailableError} if a claim fails.
   */
  async work(options: ShiftOptions): Promise<number> {
    const { clock, housekeeping, schedules, notes, presence } = this.#deps;
    const shift = new Shift(this.#deps, options);
    this.#underWay.add(shift);
    const { timeoutMs = Number.POSITIVE_INFINITY, signal } = options;
    const budget = { untilMs: clock.monotonicMs() + timeoutMs, signal };
    // A worker on demand has no loop, so its shifts do the chores. A shift that finds nothing sends one request: whether
    // runs are left below cancelled ones is read with its claim.
    const doesChores = options.endsWhen === 'idle' && presence === 'on-demand';
    if (doesChores) notes.begin();
    const begun = doesChores ? housekeeping.cancelBelowWithin(budget) : undefined;
    const taken = await schedules
      .prepare()
      .then(() => shift.work())
      .finally(async () => {
        this.#end(shift);
        await begun;
      });
    await schedules.settled();
    if (doesChores && taken > 0) await housekeeping.clearUpWithin(budget);
    else if (doesChores && housekeeping.isBelowLeft) await housekeeping.cancelBelowWithin(budget);
    return taken;
  }

  #end(shift: Shift): void {
    this.#underWay.delete(shift);
    if (this.areOver) this.#deps.onOver();
  }
}
