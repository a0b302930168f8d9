import { createServer } from 'node:net';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { toErrorDetail } from '../../src/core/errors/error-detail.ts';
import { errorMessage } from '../../src/core/errors/error-text.ts';
import { DatabaseUnavailableError } from '../../src/core/errors/errors.ts';
import { isError } from '../../src/core/errors/thrown.ts';
import { boundedText, bytesOf, MAX_TEXT_BYTES } from '../../src/core/text.ts';

const raise = () => {
  throw new Error('asked');
};

describe('the text of an error', () => {
  test.for<[string, unknown, string]>([
    ['its message', new TypeError('outer', { cause: new Error('inner') }), 'outer'],
    ['its name without a message', new RangeError(), 'RangeError'],
    ['its code, where there is nothing else', Object.assign(new Error(), { code: 'E_X' }), 'Error (E_X)'],
    ['its cause, where its message says nothing', new Error('', { cause: new Error('why') }), 'why'],
    [
      'message and cause of a generic message',
      new TypeError('Fetch failed.', { cause: new Error('connect ECONNREFUSED 127.0.0.1:1') }),
      'Fetch failed.: connect ECONNREFUSED 127.0.0.1:1',
    ],
    [
      'the errors of a group without a message',
      new TypeError('fetch failed', { cause: new AggregateError([new Error('a'), new Error('b')]) }),
      'fetch failed: a; b',
    ],
    [
      'the first of many errors',
      new AggregateError(
        ['a', 'b', 'c', 'd', 'e'].map((text) => new Error(text)),
        'All promises were rejected',
      ),
      'All promises were rejected: a; b; c; and 2 more',
    ],
    [
      "a group's own message",
      new AggregateError([new Error('a')], 'two uploads failed'),
      'two uploads failed',
    ],
    [
      'what the driver said of a database',
      new DatabaseUnavailableError('The database is unavailable', { cause: new Error('connect ETIMEDOUT') }),
      'The database is unavailable: connect ETIMEDOUT',
    ],
    ["an object's message", { code: 'E', message: 'told' }, 'told'],
    [
      'JSON of an object without one',
      { code: 'E', n: 1n, list: [1, 'x'] },
      '{"code":"E","n":"1","list":[1,"x"]}',
    ],
    ['JSON of an object whose message is empty', { code: 'E', message: '' }, '{"code":"E","message":""}'],
    [
      'nothing of what looks secret',
      { status: 401, headers: { Authorization: 'Bearer x' }, apiKey: 'k' },
      '{"status":401,"headers":{"Authorization":"[redacted]"},"apiKey":"[redacted]"}',
    ],
    ["an object's own toString", { toString: () => 'mine' }, 'mine'],
    ['the tag of an object without fields', new Blob(), '[object Blob]'],
    [
      'the status of an answer',
      new Response('x', { status: 502, statusText: 'Bad Gateway' }),
      'Response 502 Bad Gateway',
    ],
    [
      'JSON of an object with an error in it',
      { err: new TypeError('boom'), status: 5 },
      '{"err":"TypeError: boom","status":5}',
    ],
    [
      'JSON of a list of errors',
      [new Error('in array'), new RangeError()],
      '["Error: in array","RangeError"]',
    ],
    [
      'JSON of an object with an answer in it',
      { response: new Response(null, { status: 500 }) },
      '{"response":"Response 500"}',
    ],
    [
      'what a Map holds',
      new Map<unknown, unknown>([
        ['a', new Set([1])],
        [{ b: 2 }, 'x'],
        ['password', 'p'],
      ]),
      '{"a":[1],"{\\"b\\":2}":"x","password":"[redacted]"}',
    ],
    ['what a Set holds', new Set(['a', new Error('b')]), '["a","Error: b"]'],
    ['the fields of a class with a tag', { [Symbol.toStringTag]: 'Failure', status: 7 }, '{"status":7}'],
    [
      'the message of an error whose name throws',
      { message: Object.defineProperty(new Error('told'), 'name', { get: raise }) },
      'Error: told',
    ],
    [
      'nothing of a stack',
      { name: 'Ser', stack: 'Error: at /x.js:1', code: 3, inner: { stack: 'x' } },
      '{"name":"Ser","code":3,"inner":{}}',
    ],
    [
      "nothing of a stack in an error's message",
      Object.assign(new Error(), { message: { why: 1, stack: 'x' } }),
      '{"why":1}',
    ],
    [
      'nothing of short names of secrets',
      { pass: 'p', dbPass: 'p', pwd: 'p', auth: { user: 'u' }, credentials: 'c', author: 'a', passed: 1 },
      '{"pass":"[redacted]","dbPass":"[redacted]","pwd":"[redacted]","auth":"[redacted]","credentials":"[redacted]","author":"a","passed":1}',
    ],
    ['JSON of a list', [1, { a: null }], '[1,{"a":null}]'],
    [
      'the readable part of an object',
      {
        bad: undefined,
        ok: 1,
        get worse() {
          return raise();
        },
      },
      '{"ok":1}',
    ],
    ['nothing of an empty object', {}, 'unknown error'],
    ['a text', 'plain', 'plain'],
    ['null', null, 'null'],
  ])('is %s', ([, error, text]) => {
    expect(errorMessage(error)).toBe(text);
  });

  test('names the address of a fetch to a closed port', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const error = await fetch(`http://127.0.0.1:${port}/`).catch((reason: unknown) => reason);
    expect(errorMessage(error)).toBe(`fetch failed: connect ECONNREFUSED 127.0.0.1:${port}`);
  });

  test('treats an error of another realm like one of this realm', () => {
    const error: unknown = runInNewContext(`new TypeError('', { cause: new Error('elsewhere') })`);
    expect(errorMessage(error)).toBe('elsewhere');
    expect(isError(error)).toBe(true);
  });

  test('ends at a circular cause', () => {
    const one = new Error('');
    one.cause = new Error('failed', { cause: one });
    expect(errorMessage(one)).toMatch(/^failed/);
  });

  test('has a length limit, whatever was thrown', () => {
    const huge = 'ä'.repeat(100_000);
    const circular: Record<string, unknown> = { huge, list: Array(10_000).fill({ huge }) };
    circular.self = circular;
    for (const error of [huge, new Error(huge), { message: huge }, circular, [huge], { [huge]: 1 }]) {
      const text = errorMessage(error);
      expect(bytesOf(text)).toBeLessThanOrEqual(MAX_TEXT_BYTES);
      expect(text).toContain('…');
    }
  });
});

describe('a list with its own methods', () => {
  class Odd<T> extends Array<T> {
    override slice(): never {
      throw new Error('slice');
    }
    override map(): never {
      throw new Error('map');
    }
  }
  const lists = (...items: unknown[]): [string, unknown][] => [
    ['a slice that gives no array', Object.assign([...items], { slice: () => 5 })],
    ['a subclass', Odd.from(items)],
    ['a proxy', new Proxy(items, {})],
    [
      'a proxy that hides its methods',
      new Proxy(items, {
        get: (list, key) => (key in Array.prototype && key !== 'length' ? 5 : Reflect.get(list, key)),
      }),
    ],
  ];

  test.for(lists(new Error('a'), 'b'))("as an error's errors: %s", ([, errors]) => {
    expect(errorMessage(Object.assign(new Error('failed'), { errors }))).toBe('failed: a; b');
    const detail = toErrorDetail(Object.assign(new Error('weird'), { errors }), { mode: 'message' });
    expect(detail.errors?.map(({ message }) => message)).toEqual(['a', 'b']);
  });

  test.for(lists(1, 'b'))('is shown as what was thrown: %s', ([, list]) => {
    expect(errorMessage(list)).toBe('[1,"b"]');
    expect(errorMessage({ list })).toBe('{"list":[1,"b"]}');
  });
});

describe('a bounded text', () => {
  test.for(['a', 'é', '€', '😀', '\0', '\ud800', 'a😀'])('of %j is cut between two characters', (unit) => {
    for (const maxBytes of [10, 11, 12, 13, 14]) {
      const text = boundedText(unit.repeat(50), maxBytes);
      expect(bytesOf(text)).toBeLessThanOrEqual(maxBytes);
      expect(bytesOf(text)).toBeGreaterThan(maxBytes - 5);
      expect(text.isWellFormed()).toBe(true);
      expect(text).toMatch(/^[^\0]+…$/u);
    }
  });

  test('keeps a text whole up to its limit', () => {
    expect(boundedText('x'.repeat(20), 20)).toBe('x'.repeat(20));
    expect(boundedText('x'.repeat(21), 20)).toBe(`${'x'.repeat(17)}…`);
    expect(boundedText('€'.repeat(4), 12)).toBe('€€€€');
  });
});
