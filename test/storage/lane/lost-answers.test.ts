import { describe, expect, test } from 'vitest';
import { idle } from '../../support/idle.ts';
import { first, heldLane, kind, lost } from './held-lane.ts';

describe('a request whose answer is lost', () => {
  test('is sent again after a pause, marked as sent before', async () => {
    const { clock, submit, sent, requests, outcomes } = heldLane({ isRemote: true });
    const writes = kind('again', 1);
    void submit(writes, 'a');
    await idle();
    await requests[0]?.fail(lost);
    expect(requests).toHaveLength(1);
    clock.advance(250);
    await idle();
    expect(sent()).toEqual([['again: a'], ['again: a']]);
    expect(writes.sendings.map(({ isSentAgain }) => isSentAgain)).toEqual([false, true]);
    await requests[1]?.store();
    expect(outcomes).toEqual({ a: 'stored a' });
  });

  test('is sent again in front of newer writes, and together with them', async () => {
    const { clock, submit, sent, requests } = heldLane({ isRemote: true });
    void submit(first, 'a');
    await idle();
    void submit(first, 'b');
    await requests[0]?.fail(lost);
    clock.advance(250);
    await idle();
    expect(sent()[1]).toEqual(['first: a b']);
  });

  test('is given up two seconds after its first sending', async () => {
    const { clock, submit, requests, outcomes } = heldLane({ isRemote: true });
    void submit(first, 'a');
    await idle();
    for (let sendings = 1; outcomes.a === undefined; sendings++) {
      expect(sendings).toBeLessThan(100);
      await requests.at(-1)?.fail(lost);
      clock.advance(250);
      await idle();
    }
    expect(outcomes).toEqual({ a: 'The database is unavailable' });
    expect(clock.monotonicMs()).toBeGreaterThan(2_000);
  });

  test('counts as given up even if its callers were answered before', async () => {
    const { clock, submit, requests, outcomes, givenUp } = heldLane({ isRemote: true });
    void submit(first, 'a', 10_000);
    await idle();
    clock.advance(15_000);
    expect(outcomes).toEqual({});
    await idle();
    expect([outcomes, givenUp()]).toEqual([{ a: 'time up' }, 0]);
    await requests[0]?.fail(lost);
    expect(givenUp()).toBe(1);
  });

  test('is followed by a rest of 1, 2, 4 … 30 seconds for each request in a row that hung', async () => {
    const { clock, submit, requests } = heldLane({ isRemote: true });
    const rests: number[] = [];
    for (let i = 0; i < 7; i++) {
      void submit(first, `${i}`);
      await idle();
      clock.advance(15_000);
      const before = requests.length;
      await requests.at(-1)?.fail(lost);
      void submit(first, `waits ${i}`);
      let restMs = 0;
      for (; requests.length === before; restMs += 1_000) {
        expect(restMs).toBeLessThan(60_000);
        clock.advance(1_000);
        await idle();
      }
      rests.push(restMs);
    }
    expect(rests).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });
});
