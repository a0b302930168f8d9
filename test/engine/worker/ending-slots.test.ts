import { describe, expect, test } from 'vitest';
import type { LeftWork } from '../../../src/engine/execution/ending.ts';
import { EndingSlots } from '../../../src/engine/worker/slots/ending-slots.ts';
import type { Slot } from '../../../src/engine/worker/slots/slot.ts';

describe("a slot whose run's end is being stored", () => {
  test.each<[string, LeftWork, number, LeftWork]>([
    ['what the end leaves if no claim has left since', 'waiting-run', 0, 'waiting-run'],
    ['nothing if one claim has left with the end', 'waiting-run', 1, 'nothing'],
    ['what the end leaves if it may have come after claims', 'run', 2, 'run'],
    ['nothing if the end leaves nothing', 'nothing', 2, 'nothing'],
  ])('leaves to the next claim %s', (_, left, claims, expected) => {
    const ending = new EndingSlots();
    const slot = {} as Slot;
    ending.noteClaim();
    ending.add(slot, left);
    for (let i = 0; i < claims; i++) ending.noteClaim();
    expect(ending.size).toBe(1);
    expect(ending.remove(slot)).toBe(expected);
    expect([ending.size, ending.remove(slot)]).toEqual([0, undefined]);
  });
});
