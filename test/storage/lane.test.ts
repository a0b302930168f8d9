import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../src/core/errors/errors.ts';
import { Deadlines, TimeUpError } from '../../src/storage/deadlines.ts';
import { WriteLane } from '../../src/storage/lane.ts';
import type { Rows, SendFailure, Sending, Sql, WriteKind } from '../../src/storage/writes.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { idle } from '../support/idle.ts';
import { type Deferred, deferred } from '../support/until.ts';

interface Member {
  readonly name: string;
  readonly rows?: number;
  readonly chars?: number;
}

/** A kind whose statement names its members, and whose result is what was stored for each. */
function kind(name: string, place: number) {
  const sendings: Sending[] = [];
  const writes: WriteKind<Member, string> = {
    name,
    place,
    sizeOf: ({ rows = 1, chars = 10 }) => ({ rows, chars }),
    compile: (members, sending) => {
      sendings.push(sending);
      return {
        statements: [{ sql: name, parameters: members.map((member) => member.name) }],
        decode: ([rows = []]) => rows.map((row) => `stored ${row.name}`),
      };
    },
  };
  return Object.assign(writes, { sendings });
}

const [first, second, last] = [kind('first', 1), kind('second', 2), kind('last', 3)];

const textOf = ({ sql, parameters }: Sql) => `${sql}: ${parameters.join(' ')}`;
const answer = (statements: readonly Sql[]): Rows[] =>
  statements.map(({ parameters }) => parameters.map((name) => ({ name })));

interface LaneOptions {
  readonly sendsBatches?: boolean;
  readonly isRemote?: boolean;
  readonly judge?: (error: unknown) => SendFailure;
}

/** A lane whose requests wait for the test to answer them. */
function heldLane({ sendsBatches = true, isRemote = false, judge }: LaneOptions = {}) {
  const clock = new FakeClock();
  const requests: {
    readonly texts: readonly string[];
    readonly deadlineMs: number | undefined;
    readonly store: () => Promise<void>;
    readonly fail: (failure: SendFailure) => Promise<void>;
  }[] = [];
  const port = {
    clock,
    sendsBatches,
    isRemote,
    send: (statements: readonly Sql[], { deadlineMs }: { deadlineMs: number | undefined }) => {
      const held: Deferred<Rows[]> = deferred();
      requests.push({
        texts: statements.map(textOf),
        deadlineMs,
        store: async () => {
          held.resolve(answer(statements));
          await idle();
        },
        fail: async (failure) => {
          held.reject(failure);
          await idle();
        },
      });
      return held.promise;
    },
    judge: judge ?? ((failure: unknown) => failure as SendFailure),
    noteGivenUp: () => undefined,
  };
  const lane = new WriteLane(port, new Deadlines(clock));
  const outcomes: Record<string, string> = {};
  const submit = async (writes: WriteKind<Member, string>, member: Member | string, deadlineMs?: number) => {
    const given = typeof member === 'string' ? { name: member } : member;
    const note = (outcome: string) => {
      outcomes[given.name] = outcome;
    };
    lane.submit(writes, given, deadlineMs).then(note, (error: unknown) => {
      note(error instanceof TimeUpError ? 'time up' : error instanceof Error ? error.message : String(error));
    });
  };
  return { clock, lane, requests, outcomes, submit, sent: () => requests.map(({ texts }) => texts) };
}

const refused: SendFailure = { kind: 'refused', error: new Error('refused'), statementIndex: undefined };
const lost: SendFailure = { kind: 'lost', error: new Error('reset') };

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

describe('a request that fails', () => {
  test('is sent again member by member if one is refused, and the others are stored', async () => {
    const { submit, sent, requests, outcomes } = heldLane();
    for (const name of ['a', 'bad', 'b']) void submit(first, name);
    await idle();
    await requests[0]?.fail(refused);
    await requests[1]?.store();
    await requests[2]?.fail(refused);
    await requests[3]?.store();
    expect(sent().map(([text]) => text)).toEqual(['first: a bad b', 'first: a', 'first: bad', 'first: b']);
    expect(outcomes).toEqual({ a: 'stored a', bad: 'refused', b: 'stored b' });
  });

  test('keeps the order of the kinds if the refused statement is known', async () => {
    const { submit, sent, requests, outcomes } = heldLane();
    void submit(first, 'a');
    void submit(second, 'bad');
    void submit(second, 'b');
    void submit(last, 'c');
    await idle();
    await requests[0]?.fail({ ...refused, statementIndex: 1 });
    await requests[1]?.store();
    await requests[2]?.fail(refused);
    await requests[3]?.store();
    await requests[4]?.store();
    expect(sent().slice(1)).toEqual([['first: a'], ['second: bad'], ['second: b'], ['last: c']]);
    expect(outcomes).toEqual({ a: 'stored a', bad: 'refused', b: 'stored b', c: 'stored c' });
  });

  test('sends each kind apart if the refused statement is not known', async () => {
    const { submit, sent, requests, outcomes } = heldLane();
    void submit(first, 'a');
    void submit(second, 'bad');
    await idle();
    await requests[0]?.fail(refused);
    await requests[1]?.store();
    await requests[2]?.fail(refused);
    expect(sent().slice(1)).toEqual([['first: a'], ['second: bad']]);
    expect(outcomes).toEqual({ a: 'stored a', bad: 'refused' });
  });

  test('rejects all members if the database refuses writes, and later writes are sent', async () => {
    const { submit, requests, outcomes } = heldLane();
    void submit(first, 'a');
    void submit(second, 'b');
    await idle();
    await requests[0]?.fail({ kind: 'failed', error: new DatabaseUnavailableError('full'), scope: 'all' });
    expect(outcomes).toEqual({ a: 'full', b: 'full' });
    void submit(first, 'c');
    await idle();
    await requests[1]?.store();
    expect(outcomes.c).toBe('stored c');
  });

  test('sends each kind apart if the database may have room for some of them', async () => {
    const { submit, sent, requests, outcomes } = heldLane();
    void submit(first, 'large');
    void submit(second, 'small');
    await idle();
    const full: SendFailure = {
      kind: 'failed',
      error: new DatabaseUnavailableError('full'),
      scope: 'statement',
    };
    await requests[0]?.fail(full);
    await requests[1]?.fail(full);
    await requests[2]?.store();
    expect(sent().slice(1)).toEqual([['first: large'], ['second: small']]);
    expect(outcomes).toEqual({ large: 'full', small: 'stored small' });
  });

  test('rejects the members of a kind whose answer cannot be understood, and no others', async () => {
    const { lane, submit, requests, outcomes } = heldLane();
    const odd: WriteKind<string, string> = {
      name: 'odd',
      place: 5,
      sizeOf: () => ({ rows: 1, chars: 0 }),
      compile: () => ({
        statements: [{ sql: 'odd', parameters: [] }],
        decode: () => {
          throw new Error('not understood');
        },
      }),
    };
    const failed = lane.submit(odd, 'x').catch((error: Error) => error.message);
    void submit(first, 'a');
    await idle();
    await requests[0]?.store();
    expect(await failed).toBe('not understood');
    expect(outcomes).toEqual({ a: 'stored a' });
  });
});

describe('a request whose answer would be too large', () => {
  const tooLarge: SendFailure = { kind: 'too-large', error: new Error('too large') };

  test('is sent in smaller ones, down to single members', async () => {
    const { submit, sent, requests, outcomes } = heldLane({ isRemote: true });
    for (const name of ['a', 'b']) void submit(first, name);
    void submit(second, 'c');
    await idle();
    await requests[0]?.fail(tooLarge);
    await requests[1]?.fail(tooLarge);
    for (const i of [2, 3, 4]) await requests[i]?.store();
    expect(sent().slice(1)).toEqual([['first: a b'], ['first: a'], ['first: b'], ['second: c']]);
    expect(outcomes).toEqual({ a: 'stored a', b: 'stored b', c: 'stored c' });
  });

  test('is sent again after a pause if it has one member', async () => {
    const { clock, submit, requests, outcomes } = heldLane({ isRemote: true });
    void submit(first, 'a');
    await idle();
    await requests[0]?.fail(tooLarge);
    clock.advance(250);
    await idle();
    await requests[1]?.store();
    expect(outcomes).toEqual({ a: 'stored a' });
  });
});

test('a kind is told which of its members were sent before, and whether others still wait', async () => {
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
