import { describe, expect, test } from 'vitest';
import type { WriteKind } from '../../../src/storage/writes.ts';
import { idle } from '../../support/idle.ts';
import { first, heldLane, kind, last, lost, second } from './held-lane.ts';

describe('one request at a time', () => {
  test('sends together what arrives in one turn of the event loop, in order', async () => {
    const { submit, sent, requests, outcomes } = heldLane();
    for (const name of ['a', 'b', 'c']) void submit(first, name);
    expect(sent()).toEqual([]);
    await idle();
    expect(sent()).toEqual([['first: a b c']]);
    await requests[0]?.store();
    expect(outcomes).toEqual({ a: 'stored a', b: 'stored b', c: 'stored c' });
  });

  test('sends kinds in their order, whatever order they came in', async () => {
    const { submit, sent } = heldLane();
    void submit(last, 'a');
    void submit(second, 'b');
    void submit(first, 'c');
    void submit(second, 'd');
    await idle();
    expect(sent()).toEqual([['first: c', 'second: b d', 'last: a']]);
  });

  test('gathers writes that arrive while a request is under way', async () => {
    const { submit, sent, requests, outcomes } = heldLane({ isRemote: true });
    void submit(first, 'a');
    await idle();
    void submit(second, 'b');
    await idle();
    void submit(first, 'c');
    await idle();
    expect(sent()).toEqual([['first: a']]);
    await requests[0]?.store();
    expect(sent()).toEqual([['first: a'], ['first: c', 'second: b']]);
    await requests[1]?.store();
    expect(outcomes).toEqual({ a: 'stored a', b: 'stored b', c: 'stored c' });
    expect(requests).toHaveLength(2);
  });

  test('sends every member, whenever it arrives', async () => {
    for (let hops = 0; hops < 20; hops++) {
      const { submit, sent, requests } = heldLane();
      void submit(first, 'a');
      await idle();
      void requests[0]?.store();
      for (let i = 0; i < hops; i++) await Promise.resolve();
      void submit(first, 'b');
      await idle();
      await idle();
      expect({ hops, sent: sent() }).toEqual({ hops, sent: [['first: a'], ['first: b']] });
    }
  });

  test('asks a member for its statement only when it leaves, and sends nothing if there is none', async () => {
    const { lane, submit, requests, sent } = heldLane();
    let isWanted = true;
    const lazy: WriteKind<null, string> = {
      name: 'lazy',
      place: 9,
      sizeOf: () => ({ rows: 0, chars: 0 }),
      compile: () =>
        isWanted
          ? { statements: [{ sql: 'lazy', parameters: [] }], decode: () => ['done'] }
          : { statements: [], decode: () => ['declined'] },
    };
    void submit(first, 'a');
    await idle();
    const result = lane.submit(lazy, null);
    isWanted = false;
    await requests[0]?.store();
    expect(await result).toBe('declined');
    expect(sent()).toEqual([['first: a']]);
  });

  test('executes one kind after the other if the backend has no batches', async () => {
    const { submit, sent, requests, outcomes } = heldLane({ sendsBatches: false });
    void submit(second, 'a');
    void submit(first, 'b');
    await idle();
    expect(sent()).toEqual([['first: b']]);
    await requests[0]?.store();
    expect(sent()).toEqual([['first: b'], ['second: a']]);
    await requests[1]?.store();
    expect(outcomes).toEqual({ a: 'stored a', b: 'stored b' });
  });
});

describe('bounds', () => {
  test.each([
    ['rows', Array.from({ length: 5 }, (_, i) => ({ name: `${i}`, rows: 80 })), [2, 2, 1]],
    ['characters', Array.from({ length: 5 }, (_, i) => ({ name: `${i}`, chars: 100_000 })), [2, 2, 1]],
    ['small members', Array.from({ length: 450 }, (_, i) => ({ name: `${i}` })), [200, 200, 50]],
  ])('caps what leaves together by %s', async (_, members, sizes) => {
    const { submit, sent, requests } = heldLane();
    for (const member of members) void submit(first, member);
    for (let i = 0; i < sizes.length; i++) {
      await idle();
      await requests[i]?.store();
    }
    const names = sent().map(([text = '']) => text.slice('first: '.length).split(' '));
    expect(names.map(({ length }) => length)).toEqual(sizes);
    expect(names.flat()).toEqual(members.map(({ name }) => name));
  });

  test('sends a member that exceeds the bounds alone, without changing the order', async () => {
    const { submit, sent, requests } = heldLane();
    for (const [i, size] of [{}, { rows: 1_000 }, { chars: 10_000_000 }, {}].entries()) {
      void submit(first, { name: `${i}`, ...size });
    }
    for (let i = 0; i < 4; i++) {
      await idle();
      await requests[i]?.store();
    }
    expect(sent()).toEqual([['first: 0'], ['first: 1'], ['first: 2'], ['first: 3']]);
  });

  test('lets no member overtake another, even one without a size', async () => {
    const { submit, sent, requests } = heldLane();
    void submit(first, { name: 'large', rows: 1_000 });
    void submit(last, { name: 'light', rows: 0, chars: 0 });
    void submit(second, 'waits');
    void submit(last, { name: 'later', rows: 0, chars: 0 });
    await idle();
    await requests[0]?.store();
    await requests[1]?.store();
    expect(sent()).toEqual([['first: large'], ['second: waits', 'last: light later']]);
  });
});

test('a kind of write learns which of its members were sent before, and whether others still wait', async () => {
  const { clock, submit, requests } = heldLane({ isRemote: true });
  const writes = kind('told', 1);
  void submit(writes, { name: 'a', rows: 999 });
  void submit(writes, { name: 'b', rows: 999 });
  await idle();
  await requests[0]?.fail(lost);
  clock.advance(250);
  await idle();
  await requests[1]?.store();
  void submit(writes, 'c');
  await requests[2]?.fail(lost);
  clock.advance(250);
  await idle();
  const told = writes.sendings.map(({ sentAgain, seesAll }) => ({ sentAgain, seesAll }));
  expect(told).toEqual([
    { sentAgain: [false], seesAll: false },
    { sentAgain: [true], seesAll: false },
    { sentAgain: [false], seesAll: true },
    { sentAgain: [true, false], seesAll: true },
  ]);
});

test('closing the lane rejects waiting and later writes', async () => {
  const { lane, submit, requests, outcomes } = heldLane();
  void submit(first, 'a');
  await idle();
  void submit(first, 'b');
  lane.close(new Error('closed'));
  await idle();
  expect(outcomes).toEqual({ b: 'closed' });
  void submit(first, 'c');
  await idle();
  expect(outcomes).toEqual({ b: 'closed', c: 'closed' });
  await requests[0]?.fail({ kind: 'failed', error: new Error('closed'), scope: 'all' });
  expect(outcomes.a).toBe('closed');
});
