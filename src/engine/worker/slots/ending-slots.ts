import type { Slot } from './slot.ts';

/**
 * The slots whose runs' ends are being stored. Their jobs are over, so they count as free. The claim
 * that leaves with an end may fill its slot, and take the next run of its concurrency key.
 */
export class EndingSlots {
  /** For each slot, how many claims had left when its end was noted. */
  readonly #slots = new Map<Slot, number>();
  /** How many claims have left. */
  #claims = 0;

  get size(): number {
    return this.#slots.size;
  }

  noteClaim(): void {
    this.#claims++;
  }

  add(slot: Slot): void {
    this.#slots.set(slot, this.#claims);
  }

  /**
   * Removes a slot. Returns whether a claim could already take its place, and what its end leaves to other runs. If
   * exactly one claim has left since, it left with the end and saw that. If others have
   * left, too, the end may have come after them.
   */
  remove(slot: Slot): boolean {
    const claimsBefore = this.#slots.get(slot);
    this.#slots.delete(slot);
    if (claimsBefore === undefined) return false;
    return !slot.freesRuns || this.#claims === claimsBefore + 1;
  }
}
