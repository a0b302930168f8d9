import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeJson, encodeJson, isStorableText, isTooDeep, storableText } from '../../src/core/json/json.ts';

/** The nesting depth of arrays and objects, found by a simple counter. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

const nested = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth);

describe('the depth of JSON', () => {
  test('equals that of a simple counter, whatever the text', () => {
    const values = fc.json({ maxDepth: 8 });
    fc.assert(
      fc.property(values, fc.integer({ min: 0, max: 8 }), (text, maxDepth) => {
        expect(isTooDeep(text, maxDepth)).toBe(depthOf(JSON.parse(text)) > maxDepth);
      }),
      { numRuns: 500 },
    );
  });

  test('is at most 500', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const inner = open === '[' ? '' : '1';
      const make = (depth: number) => open.repeat(depth) + inner + close.repeat(depth);
      expect(isTooDeep(make(500))).toBe(false);
      expect(isTooDeep(make(501))).toBe(true);
    }
  });

  test('ignores brackets in strings, and quotes and backslashes before them', () => {
    const texts = [
      '['.repeat(2_000),
      `"${'['.repeat(1_000)}`,
      `\\${'{'.repeat(1_000)}\\`,
      '\\"['.repeat(700),
    ];
    for (const text of texts) {
      expect(isTooDeep(JSON.stringify(text))).toBe(false);
      expect(isTooDeep(JSON.stringify({ [text]: [text] }))).toBe(false);
    }
    expect(isTooDeep(`["\\\\",${nested(500, '[', ']')}]`)).toBe(true);
  });

  test('does not add up for neighbouring values', () => {
    expect(isTooDeep(`[${Array(1_000).fill('[[]]').join(',')}]`)).toBe(false);
  });
});

describe('encoding a value', () => {
  test('gives what JSON gives, in both directions', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const encoding = encodeJson(value);
        expect(encoding.ok && decodeJson(encoding.text ?? null)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test("never throws, and says why a value can't be encoded", () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
        (value) => {
          const encoding = encodeJson(value);
          if (!encoding.ok) expect(encoding.reason).not.toBe('');
        },
      ),
    );
  });

  test('gives no text for undefined', () => {
    expect(encodeJson(undefined)).toEqual({ ok: true, text: undefined });
    expect(decodeJson(null)).toBeUndefined();
  });
});

describe('storable text', () => {
  test('contains no lone surrogate and no NUL, and is otherwise unchanged', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
        (text) => {
          const storable = storableText(text);
          expect(storable.isWellFormed()).toBe(true);
          expect(storable).not.toContain('\0');
          expect(storable.length).toBe(text.length);
          expect(isStorableText(text)).toBe(storable === text);
          expect(storableText(storable)).toBe(storable);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ['plain', 'plain'],
    ['🙂', '🙂'],
    ['\ud83d', '\ufffd'],
    ['a\0b', 'a\ufffdb'],
    ['\udc00\ud800', '\ufffd\ufffd'],
  ])('%j becomes %j', (text, storable) => {
    expect(storableText(text)).toBe(storable);
  });
});

describe('the reason why a value is not JSON', () => {
  const reasonOf = (value: unknown) => {
    const encoding = encodeJson(value);
    return encoding.ok ? undefined : encoding.reason;
  };
  const throwing = (error: unknown) => ({
    toJSON() {
      throw error;
    },
  });

  test.for<[string, () => unknown, string]>([
    ['too deep', () => JSON.parse(nested(501, '[', ']')), 'nested deeper than 500 levels'],
    ['so deep that the stack ends', () => bottomless(100_000), 'nested deeper than 500 levels'],
    ['a toJSON that throws', () => throwing(new Error('no JSON today')), 'no JSON today'],
    [
      'a toJSON that throws a RangeError',
      () => throwing(new RangeError('price out of range')),
      'price out of range',
    ],
    ['a toJSON that calls itself', () => selfCalling(), 'Maximum call stack size exceeded'],
    ['a toJSON that throws an object', () => ({ deep: [throwing({ code: 'E' })] }), '{"code":"E"}'],
    // JSON.stringify throws this after it has written half a gigabyte.
    ['too long', () => ({ toJSON: () => 'x'.repeat(2 ** 30) }), 'longer than a string can be'],
  ])('%s', ([, make, reason]) => {
    expect(reasonOf(make())).toBe(reason);
  });

  test('is found quickly for values that refer to one another thousands of times', () => {
    let value: unknown = throwing(new RangeError('at the end'));
    for (let i = 0; i < 200; i++) value = [value, value];
    expect(reasonOf(value)).toBe('at the end');
  });
});

function bottomless(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = { value };
  return value;
}

function selfCalling(): object {
  const value = { toJSON: (): unknown => value.toJSON() };
  return value;
}
