import { describe, expect, test } from 'vitest';
import { TimeUpError } from '../../../../src/storage/sqlite/connection/deadline.ts';
import { type Departure, Lane, type LaneMember } from '../../../../src/storage/sqlite/connection/lane.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idle } from '../../../support/idle.ts';
import { type Deferred, deferred } from '../../../support/until.ts';

interface Member extends LaneMember {
  readonly name: string;
}

const member = (name: string, size: Partial<LaneMember> = {}): Member => ({
  name,
  rows: 1,
  chars: 10,
  ...size,
});

/** A lane whose groups wait until the test answers them. */
function heldLane({ maxUnderWay = 1, isMembersFault = true } = {}) {
  const groups: { readonly names: readonly string[]; readonly answer: Deferred<readonly string[]> }[] = [];
  const lane = new Lane<Member, string>({
    send: (members) => {
      const answer = deferred<readonly string[]>();
      groups.push({ names: members.map(({ name }) => name), answer });
      return answer.promise;
    },
    isMembersFault: () => isMembersFault,
    maxUnderWay: () => maxUnderWay,
  });
  const store = async (i: number) => {
    const group = groups[i];
    group?.answer.resolve(group.names.map((name) => `stored ${name}`));
    await idle();
  };
  return { lane, groups, store, sent: () => groups.map(({ names }) => names) };
}

describe('group commit', () => {
  test('sends what arrives in one turn of the event loop together, in order', async () => {
    const { lane, sent, store } = heldLane();
    const results = ['a', 'b', 'c'].map((name) => lane.submit(member(name)));
    expect(sent()).toEqual([]);
    await idle();
    expect(sent()).toEqual([['a', 'b', 'c']]);
    await store(0);
    expect(await Promise.all(results)).toEqual(['stored a', 'stored b', 'stored c']);
  });

  test('does not make a lone member wait for others', async () => {
    const { lane, sent } = heldLane();
    void lane.submit(member('a'));
    await idle();
    expect(sent()).toEqual([['a']]);
  });

  test('sends what arrives while a group is under way as the next group', async () => {
    const { lane, sent, store } = heldLane();
    const first = lane.submit(member('a'));
    await idle();
    const rest = ['b', 'c'].map((name) => lane.submit(member(name)));
    await idle();
    rest.push(lane.submit(member('d')));
    await idle();
    expect(sent()).toEqual([['a']]);
    await store(0);
    expect(await first).toBe('stored a');
    expect(sent()).toEqual([['a'], ['b', 'c', 'd']]);
    await store(1);
    expect(await Promise.all(rest)).toEqual(['stored b', 'stored c', 'stored d']);
    void lane.submit(member('e'));
    await idle();
    expect(sent()).toHaveLength(3);
  });

  test('sends a member at whatever moment it arrives', async () => {
    for (let hops = 0; hops < 20; hops++) {
      const { lane, sent, groups } = heldLane();
      const first = lane.submit(member('a'));
      await idle();
      groups[0]?.answer.resolve(['stored a']);
      for (let i = 0; i < hops; i++) await Promise.resolve();
      void lane.submit(member('b'));
      await first;
      await idle();
      expect({ hops, sent: sent() }).toEqual({ hops, sent: [['a'], ['b']] });
    }
  });

  test('keeps at most the allowed number of groups under way', async () => {
    const { lane, sent, store } = heldLane({ maxUnderWay: 2 });
    for (const name of ['a', 'b', 'c', 'd']) {
      void lane.submit(member(name));
      await idle();
    }
    expect(sent()).toEqual([['a'], ['b']]);
    await store(1);
    expect(sent()).toEqual([['a'], ['b'], ['c', 'd']]);
  });

  test.each([
    ['rows', Array.from({ length: 5 }, (_, i) => member(`${i}`, { rows: 80 })), [2, 2, 1]],
    ['characters', Array.from({ length: 5 }, (_, i) => member(`${i}`, { chars: 100_000 })), [2, 2, 1]],
    ['small members', Array.from({ length: 450 }, (_, i) => member(`${i}`)), [200, 200, 50]],
  ])('limits a group by %s', async (_, members, sizes) => {
    const { lane, sent, store } = heldLane();
    for (const one of members) void lane.submit(one);
    for (let i = 0; i < sizes.length; i++) {
      await idle();
      await store(i);
    }
    expect(sent().map((names) => names.length)).toEqual(sizes);
    expect(sent().flat()).toEqual(members.map(({ name }) => name));
  });

  test('sends a member above the limit alone', async () => {
    const { lane, sent, store } = heldLane();
    const sizes = [{}, { rows: 1_000 }, { chars: 10_000_000 }, {}];
    for (const [i, size] of sizes.entries()) void lane.submit(member(`${i}`, size));
    for (let i = 0; i < 4; i++) {
      await idle();
      await store(i);
    }
    expect(sent()).toEqual([['0'], ['1'], ['2'], ['3']]);
  });
});

describe('a group that fails', () => {
  /** Refuses any group that contains `bad`, as a database refuses a statement. */
  function lane({ isMembersFault = true } = {}) {
    const groups: string[][] = [];
    const refusing = new Lane<Member, string>({
      send: async (members) => {
        const names = members.map(({ name }) => name);
        groups.push(names);
        if (names.includes('bad')) throw new Error(`refused: ${names.join(' ')}`);
        return names.map((name) => `stored ${name}`);
      },
      isMembersFault: () => isMembersFault,
      maxUnderWay: () => 1,
    });
    return { refusing, groups };
  }

  const outcomes = (settled: PromiseSettledResult<string>[]) =>
    settled.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message));

  test('retries its members one by one, so that the others succeed', async () => {
    const { refusing, groups } = lane();
    const settled = await Promise.allSettled(['a', 'bad', 'b'].map((name) => refusing.submit(member(name))));
    expect(outcomes(settled)).toEqual(['stored a', 'refused: bad', 'stored b']);
    expect(groups).toEqual([['a', 'bad', 'b'], ['a'], ['bad'], ['b']]);
  });

  test('fails all its members at once if the reason concerns all', async () => {
    const { refusing, groups } = lane({ isMembersFault: false });
    const settled = await Promise.allSettled(['a', 'bad', 'b'].map((name) => refusing.submit(member(name))));
    expect(outcomes(settled)).toEqual(Array(3).fill('refused: a bad b'));
    expect(groups).toHaveLength(1);
  });

  test('does not stop the lane', async () => {
    const { refusing } = lane({ isMembersFault: false });
    await Promise.allSettled([refusing.submit(member('bad'))]);
    expect(await refusing.submit(member('later'))).toBe('stored later');
  });
});

describe('a member with a deadline', () => {
  function timedLane() {
    const clock = new FakeClock();
    const groups: {
      readonly names: readonly string[];
      readonly departure: Departure;
      readonly answer: Deferred<readonly string[]>;
    }[] = [];
    const lane = new Lane<Member, string>({
      clock,
      send: (members, departure) => {
        const answer = deferred<readonly string[]>();
        groups.push({ names: members.map(({ name }) => name), departure, answer });
        return answer.promise;
      },
      isMembersFault: () => true,
      maxUnderWay: () => 1,
    });
    const outcomes: Record<string, string> = {};
    const submit = async (name: string, deadlineMs?: number) => {
      const note = (outcome: string) => {
        outcomes[name] = outcome;
      };
      lane
        .submit(member(name), deadlineMs)
        .then(note, (error: unknown) => note(error instanceof TimeUpError ? 'time up' : String(error)));
      await idle();
    };
    return { clock, groups, outcomes, submit };
  }

  test('is answered when the deadline passes while it waits, and is never sent', async () => {
    const { clock, groups, outcomes, submit } = timedLane();
    await submit('a', 10_000);
    await submit('b', 11_000);
    await submit('c', 12_000);
    clock.advance(11_500);
    await idle();
    expect(outcomes).toEqual({ b: 'time up' });
    groups[0]?.answer.resolve(['stored a']);
    await idle();
    expect(groups.map(({ names }) => names)).toEqual([['a'], ['c']]);
    groups[1]?.answer.resolve(['stored c']);
    await idle();
    expect(outcomes).toEqual({ a: 'stored a', b: 'time up', c: 'stored c' });
    expect(clock.pendingMs).toEqual([]);
  });

  test('does not fail its neighbours when its group is given up', async () => {
    const { clock, groups, outcomes, submit } = timedLane();
    await submit('a');
    await submit('b', 10_000);
    await submit('c', 15_000);
    await submit('d');
    groups[0]?.answer.resolve(['stored a']);
    await idle();
    expect(groups[1]).toMatchObject({
      names: ['b', 'c', 'd'],
      departure: { deadlineMs: 10_000, isSentAgain: false },
    });
    await submit('e', 20_000);
    clock.advance(10_000);
    groups[1]?.answer.reject(new TimeUpError());
    await idle();
    expect(outcomes).toEqual({ a: 'stored a', b: 'time up' });
    expect(groups[2]).toMatchObject({
      names: ['c', 'd', 'e'],
      departure: { deadlineMs: 15_000, isSentAgain: true },
    });
  });
});
