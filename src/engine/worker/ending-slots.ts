import type { Slot } from './slot.ts';

/**
 * The slots whose runs' ends are being stored. Their jobs are over, so they count as free:
 * the claim that leaves with an end may fill its slot, and take the next run of its
 * concurrency key.
 */
export class EndingSlots {
  /** With how many claims had left when the end was noted. */
  readonly #slots = new Map<Slot, number>();
  /** The claims that have left. */
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
   * Removes a slot, and answers whether its place and its key were offered to a claim. One
   * claim left with the end and saw the key free. If others left too, the end may have come
   * after them.
   */
  remove(slot: Slot): boolean {
    const claimsBefore = this.#slots.get(slot);
    this.#slots.delete(slot);
    if (claimsBefore === undefined) return false;
    return slot.concurrencyKey === null || this.#claims === claimsBefore + 1;
  }
}
