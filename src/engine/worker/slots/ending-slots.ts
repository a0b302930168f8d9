import type { LeftWork } from '../../execution/ending.ts';
import type { Slot } from './slot.ts';

/**
 * The slots whose runs' ends are being stored. Their jobs are over, so they count as free. The claim
 * that leaves with an end may fill its slot, and take the next run of its concurrency key.
 */
export class EndingSlots {
  readonly #slots = new Map<Slot, { readonly left: LeftWork; readonly claimsBefore: number }>();
  /** How many claims have left that come after all writes before them. */
  #claims = 0;

  get size(): number {
    return this.#slots.size;
  }

  noteClaim(): void {
    this.#claims++;
  }

  /** Adds a slot whose run's end is about to be sent, and what that end leaves to claims. */
  add(slot: Slot, left: LeftWork): void {
    this.#slots.set(slot, { left, claimsBefore: this.#claims });
  }

  /**
   * Removes a slot. Returns what its end leaves to the next claim, or undefined if the slot was not added. If exactly
   * one claim has left since, it left with the end and saw what that left. If others have left, too, the end
   * may have come after them.
   */
  remove(slot: Slot): LeftWork | undefined {
    const noted = this.#slots.get(slot);
    this.#slots.delete(slot);
    return noted && this.#claims === noted.claimsBefore + 1 ? 'nothing' : noted?.left;
  }
}
