import { describe, expect, test } from 'vitest';
import { idle } from '../../support/idle.ts';
import { deferred } from '../../support/until.ts';
import { first, heldLane, second } from './held-lane.ts';

const nobody = () => undefined;

/** A guest that stays until the test lets it go. */
function guestOf({ lane }: ReturnType<typeof heldLane>, refuses: (kind: string) => unknown = nobody) {
  const stay = deferred();
  let isIn = false;
  const left = lane.alone(async () => {
    isIn = true;
    await stay.promise;
    isIn = false;
    return 'left';
  }, refuses);
  left.catch(() => undefined);
  return { stay, left, isIn: () => isIn };
}

describe('a guest of the lane', () => {
  test('waits for the request under way, and goes before what waits', async () => {
    const held = heldLane();
    void held.submit(first, 'a');
    await idle();
    void held.submit(second, 'b');
    const guest = guestOf(held);
    expect(guest.isIn()).toBe(false);
    await held.requests[0]?.store();
    await idle();
    expect([guest.isIn(), held.sent()]).toEqual([true, [['first: a']]]);
    guest.stay.resolve();
    expect(await guest.left).toBe('left');
    await idle();
    expect(held.sent()).toEqual([['first: a'], ['second: b']]);
  });

  test('takes turns with requests', async () => {
    const held = heldLane();
    const [one, two] = [guestOf(held), guestOf(held)];
    void held.submit(first, 'a');
    await idle();
    expect([one.isIn(), two.isIn(), held.sent()]).toEqual([true, false, []]);
    one.stay.resolve();
    await idle();
    expect([two.isIn(), held.sent()]).toEqual([false, [['first: a']]]);
    await held.requests[0]?.store();
    await idle();
    expect(two.isIn()).toBe(true);
    two.stay.resolve();
    await idle();
    void held.submit(first, 'b');
    await idle();
    expect(held.sent()).toEqual([['first: a'], ['first: b']]);
  });

  test('follows another one if nothing waits', async () => {
    const held = heldLane();
    const [one, two] = [guestOf(held), guestOf(held)];
    one.stay.resolve();
    await idle();
    expect([one.isIn(), two.isIn()]).toEqual([false, true]);
  });

  test('refuses writes for which it would wait', async () => {
    const held = heldLane();
    const error = new Error('no');
    const guest = guestOf(held, (kind) => (kind === 'first' ? error : undefined));
    await expect(held.lane.submit(first, { name: 'a' })).rejects.toBe(error);
    void held.submit(second, 'b');
    guest.stay.resolve();
    await idle();
    expect(held.sent()).toEqual([['second: b']]);
    void held.submit(first, 'c');
    await held.requests[0]?.store();
    await idle();
    expect(held.sent()).toEqual([['second: b'], ['first: c']]);
  });

  test('is refused if the lane is closed', async () => {
    const held = heldLane();
    const [one, two] = [guestOf(held), guestOf(held)];
    const closed = new Error('closed');
    held.lane.close(closed);
    await expect(two.left).rejects.toBe(closed);
    await expect(guestOf(held).left).rejects.toBe(closed);
    one.stay.resolve();
    expect(await one.left).toBe('left');
  });

  test('that fails makes room as well', async () => {
    const held = heldLane();
    await expect(held.lane.alone(() => Promise.reject(new Error('failed')), nobody)).rejects.toThrow(
      'failed',
    );
    void held.submit(first, 'a');
    await idle();
    expect(held.sent()).toEqual([['first: a']]);
  });
});
