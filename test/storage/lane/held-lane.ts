import { Deadlines, TimeUpError } from '../../../src/storage/deadlines.ts';
import { WriteLane } from '../../../src/storage/lane.ts';
import type { Rows, SendFailure, Sending, Sql, WriteKind } from '../../../src/storage/writes.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { type Deferred, deferred } from '../../support/until.ts';

interface Member {
  readonly name: string;
  readonly rows?: number;
  readonly chars?: number;
}

/** A kind whose statement names its members, and whose result is what was stored for each. */
export function kind(name: string, place: number) {
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

export const [first, second, last] = [kind('first', 1), kind('second', 2), kind('last', 3)];
const textOf = ({ sql, parameters }: Sql) => `${sql}: ${parameters.join(' ')}`;

const answer = (statements: readonly Sql[]): Rows[] =>
  statements.map(({ parameters }) => parameters.map((name) => ({ name })));

interface LaneOptions {
  readonly sendsBatches?: boolean;
  readonly isRemote?: boolean;
  readonly judge?: (error: unknown) => SendFailure;
}

/** A lane whose requests wait for the test to answer them. */
export function heldLane({ sendsBatches = true, isRemote = false, judge }: LaneOptions = {}) {
  const clock = new FakeClock();
  const requests: {
    readonly texts: readonly string[];
    readonly deadlineMs: number | undefined;
    readonly store: () => Promise<void>;
    readonly fail: (failure: SendFailure) => Promise<void>;
  }[] = [];
  let givenUp = 0;
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
    noteGivenUp: () => void givenUp++,
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
  return {
    clock,
    lane,
    requests,
    outcomes,
    submit,
    sent: () => requests.map(({ texts }) => texts),
    /** How often the lane has said that it gave a request up. */
    givenUp: () => givenUp,
  };
}

export const refused = {
  kind: 'refused',
  error: new Error('refused'),
  statementIndex: undefined,
} satisfies SendFailure;

export const lost = { kind: 'lost', error: new Error('reset') } satisfies SendFailure;
