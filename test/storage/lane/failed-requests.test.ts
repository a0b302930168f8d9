import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../src/core/errors/errors.ts';
import type { SendFailure, WriteKind } from '../../../src/storage/writes.ts';
import { idle } from '../../support/idle.ts';
import { first, heldLane, kind, last, lost, refused, second } from './held-lane.ts';

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

  test('keeps the order of all members if one of them loses its answer while they are sent apart', async () => {
    const { clock, submit, sent, requests } = heldLane({ isRemote: true });
    for (const name of ['a', 'bad', 'b', 'c']) void submit(first, name);
    void submit(last, 'claim');
    await idle();
    await requests[0]?.fail({ ...refused, statementIndex: 0 });
    await requests[1]?.store();
    void submit(first, 'new');
    await requests[2]?.fail(lost);
    clock.advance(250);
    await idle();
    expect(sent().slice(1)).toEqual([['first: a'], ['first: bad'], ['first: bad b c new', 'last: claim']]);
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

  test('asks for less at once if it has one member, and is sent again after a pause', async () => {
    const writes = kind('large', 1);
    const { clock, submit, requests, outcomes } = heldLane({ isRemote: true });
    void submit(writes, 'a');
    await idle();
    await requests[0]?.fail(tooLarge);
    expect(writes.sendings.map(({ asksLess }) => asksLess)).toEqual([false, true]);
    await requests[1]?.fail(tooLarge);
    clock.advance(250);
    await idle();
    await requests[2]?.store();
    expect(outcomes).toEqual({ a: 'stored a' });
  });
});
