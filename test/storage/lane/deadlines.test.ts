import { describe, expect, test } from 'vitest';
import { TimeUpError } from '../../../src/storage/deadlines.ts';
import { idle } from '../../support/idle.ts';
import { first, heldLane, lost } from './held-lane.ts';

describe('a member with a deadline', () => {
  test('is rejected at its deadline if it still waits, and is never sent', async () => {
    const { clock, submit, sent, requests, outcomes } = heldLane();
    void submit(first, 'a', 10_000);
    await idle();
    void submit(first, 'b', 11_000);
    void submit(first, 'c', 12_000);
    clock.advance(11_500);
    await idle();
    expect(outcomes).toEqual({ b: 'time up' });
    await requests[0]?.store();
    expect(sent()).toEqual([['first: a'], ['first: c']]);
    await requests[1]?.store();
    expect(outcomes).toEqual({ a: 'stored a', b: 'time up', c: 'stored c' });
    expect(clock.pendingMs).toEqual([]);
  });

  test('is rejected alone if a local request is given up at the first deadline', async () => {
    const { clock, submit, requests, outcomes } = heldLane();
    void submit(first, 'b', 10_000);
    void submit(first, 'c', 15_000);
    void submit(first, 'd');
    await idle();
    expect(requests[0]).toMatchObject({ texts: ['first: b c d'], deadlineMs: 10_000 });
    clock.advance(10_000);
    await requests[0]?.fail({ kind: 'time-up', error: new TimeUpError() });
    expect(outcomes).toEqual({ b: 'time up' });
    expect(requests[1]).toMatchObject({ texts: ['first: c d'], deadlineMs: 15_000 });
    await requests[1]?.store();
    expect(outcomes).toEqual({ b: 'time up', c: 'stored c', d: 'stored d' });
  });

  test('is rejected over a network while its request stays under way', async () => {
    const { clock, submit, requests, outcomes } = heldLane({ isRemote: true });
    void submit(first, 'a', 10_000);
    await idle();
    expect(requests[0]?.deadlineMs).toBeUndefined();
    clock.advance(10_000);
    await idle();
    expect(outcomes).toEqual({ a: 'time up' });
    void submit(first, 'b');
    await idle();
    expect(requests).toHaveLength(1);
    await requests[0]?.store();
    expect(requests).toHaveLength(2);
  });

  test('is not sent again once it was answered', async () => {
    const { clock, submit, sent, requests } = heldLane({ isRemote: true });
    void submit(first, 'a', 1_000);
    void submit(first, 'b');
    await idle();
    clock.advance(1_000);
    await requests[0]?.fail(lost);
    clock.advance(250);
    await idle();
    expect(sent()).toEqual([['first: a b'], ['first: b']]);
  });
});
