import { describe, expect, test } from 'vitest';
import {
  type ErrorDetail,
  encodeErrorDetail,
  errorDetailSchema,
  MAX_ERROR_DETAIL_BYTES,
  toErrorDetail,
} from '../../src/core/errors/error-detail.ts';
import { toError } from '../../src/core/errors/stored-error.ts';
import { bytesOf } from '../../src/core/text.ts';

const detailOf = (error: unknown) => toErrorDetail(error, { mode: 'full' });
const raise = () => {
  throw new Error('asked');
};

function chainOf(error: ErrorDetail): string[] {
  return [error.message, ...(error.cause ? chainOf(error.cause) : [])];
}

function chain(length: number, make: (i: number) => string): Error {
  let error = new Error(make(length - 1));
  for (let i = length - 2; i >= 0; i--) error = new Error(make(i), { cause: error });
  return error;
}

describe("an error's detail", () => {
  test('contains name, message, stack, code and cause', () => {
    const cause = Object.assign(new RangeError('inner'), { code: 7 });
    const error = Object.assign(new TypeError('outer', { cause }), { code: 'E_OUTER' });
    expect(toErrorDetail(error, { mode: 'full', stepName: 'fetch' })).toEqual({
      name: 'TypeError',
      message: 'outer',
      stack: error.stack,
      code: 'E_OUTER',
      cause: { name: 'RangeError', message: 'inner', stack: cause.stack, code: 7 },
      stepName: 'fetch',
    });
  });

  test('contains no stacks if only messages are wanted', () => {
    const error = new AggregateError([new Error('a')], 'all', { cause: new Error('why') });
    expect(encodeErrorDetail(error, { mode: 'message' })).not.toContain('stack');
  });

  test('contains the first ten errors of a group', () => {
    const errors = Array.from({ length: 12 }, (_, i) => new Error(String(i)));
    const { errors: kept } = detailOf(new AggregateError(errors, 'all'));
    expect(kept?.map(({ message }) => message)).toEqual([...Array(10).keys()].map(String));
  });

  test.for<[unknown, Partial<ErrorDetail>]>([
    ['text', { name: 'string', message: 'text' }],
    [undefined, { name: 'undefined', message: 'undefined' }],
    [
      { code: 'E', message: 'told' },
      { name: 'object', message: 'told', code: 'E' },
    ],
    [{ status: 404 }, { name: 'object', message: '{"status":404}' }],
    [Object.assign(new Error('c'), { code: Number.NaN }), { name: 'Error', message: 'c' }],
  ])('describes %j', ([thrown, expected]) => {
    const { stack, ...detail } = detailOf(thrown);
    expect(detail).toEqual(expected);
  });

  test('contains at most ten causes, and none twice', () => {
    expect(chainOf(detailOf(chain(15, String)))).toEqual([...Array(11).keys()].map(String));
    const one = new Error('one');
    one.cause = new Error('two', { cause: one });
    expect(chainOf(detailOf(one))).toEqual(['one', 'two']);
  });

  test.for<[string, unknown]>([
    ['a long message', new Error('m'.repeat(1_000_000))],
    ['a message of quotes', new Error('"\u0001'.repeat(100_000))],
    ['a long chain', chain(30, () => 'ä'.repeat(10_000))],
    ['a long stack', Object.assign(new Error('s'), { stack: 's'.repeat(1_000_000) })],
    ['a long name and code', Object.assign(new Error('n'), { name: 'n'.repeat(1e6), code: 'c'.repeat(1e6) })],
    ['groups of groups', groups(4)],
    ['a group of texts', new AggregateError(Array(1000).fill('t'.repeat(10_000)))],
  ])('takes at most 16 KiB: %s', ([, error]) => {
    for (const mode of ['full', 'message'] as const) {
      const text = encodeErrorDetail(error, { mode, stepName: 'x'.repeat(100_000) });
      expect(bytesOf(text)).toBeLessThanOrEqual(MAX_ERROR_DETAIL_BYTES);
      expect(errorDetailSchema.safeParse(JSON.parse(text)).success).toBe(true);
    }
  });

  test('shortens stacks before messages, and keeps frames beside a long message', () => {
    const detail = detailOf(new Error('m'.repeat(8000), { cause: chain(3, () => 'c'.repeat(500)) }));
    expect(detail.message).toHaveLength(8000);
    expect(detail.stack).toMatch(/m…\n +at .*error-detail\.test/);
    expect(chainOf(detail).slice(1)).toEqual(Array(3).fill('c'.repeat(500)));
  });

  test('is well-formed at every depth', () => {
    const odd = (text: string) => Object.assign(new Error(text), { name: text, stack: text, code: text });
    const error = odd('a\ud800\0');
    error.cause = Object.assign(odd('b\udc00\0'), { errors: [odd('\0')] });
    const text = encodeErrorDetail(error, { mode: 'full', stepName: '\ud800' });
    expect(text.isWellFormed()).toBe(true);
    expect(text).not.toMatch(/\\u0000|\\ud/i);
  });

  test.for<[string, () => unknown]>([
    [
      'getters that throw',
      () =>
        Object.defineProperties(new Error('g'), { ...throwing('stack', 'code', 'cause', 'name', 'errors') }),
    ],
    ['a message that throws', () => Object.defineProperties(new Error(), throwing('message'))],
    [
      'a proxy that refuses everything',
      () => new Proxy({}, { get: raise, has: raise, getPrototypeOf: raise, ownKeys: raise }),
    ],
    ['a revoked proxy as cause', () => new Error('c', { cause: revoked() })],
    ['a revoked list of errors', () => Object.assign(new Error('c'), { errors: revoked([]) })],
    [
      'a list of errors that may not be read',
      () => Object.assign(new Error('c'), { errors: new Proxy([1], { get: raise }) }),
    ],
    ['endless causes', () => endless()],
  ])('survives %s', ([, make]) => {
    expect(errorDetailSchema.safeParse(detailOf(make())).success).toBe(true);
  });

  test('can be turned into an error again', () => {
    const cause = Object.assign(new RangeError('inner'), { code: 'E_INNER' });
    const thrown = new TypeError('outer', { cause });
    const error = toError(detailOf(thrown), 'outer');
    expect(error).toMatchObject({ name: 'TypeError', message: 'outer', stack: thrown.stack });
    expect(error.cause).toMatchObject({ name: 'RangeError', message: 'inner', code: 'E_INNER' });
    expect(error.cause).toBeInstanceOf(Error);
    expect(Object.keys(error)).toEqual([]);
    const group = toError(detailOf(new AggregateError([new Error('a')], 'all')), '');
    expect(group).toBeInstanceOf(AggregateError);
    expect(toError(toErrorDetail(thrown, { mode: 'message' }), '').stack).toBe('TypeError: outer');
    expect(toError(null, 'worker lost 10 times').message).toBe('worker lost 10 times');
  });
});

function groups(depth: number): Error {
  if (depth === 0) return new Error('leaf'.repeat(100));
  return new AggregateError(
    Array.from({ length: 8 }, () => groups(depth - 1)),
    'group',
  );
}

function throwing(...keys: string[]): PropertyDescriptorMap {
  return Object.fromEntries(keys.map((key) => [key, { get: raise }]));
}

function revoked(target: object = {}): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function endless(): Error {
  return Object.defineProperty(new Error(), 'cause', { get: endless });
}
