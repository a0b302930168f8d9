import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeJson } from '../../src/core/json/json.ts';
import { leastJsonBytes } from '../../src/core/json/json-size.ts';

const MB = 1024 * 1024;

const bytesOf = (text: string) => Buffer.byteLength(text);

/** Values as jobs return them, some with a `toJSON`. */
const values = fc
  .anything({ withDate: true, withMap: true, withSet: true, withBoxedValues: true, withTypedArray: true })
  .chain((value) =>
    fc.constantFrom<unknown>(value, [value, new URL('http://localhost/')], { toJSON: () => value }, [
      Buffer.from('some bytes'),
      value,
      undefined,
      () => value,
    ]),
  )
  .filter((value) => {
    try {
      return JSON.stringify(value) !== undefined;
    } catch {
      return false;
    }
  });

describe('the size of JSON', () => {
  test('accepts every value that fits, and refuses one that is a byte too large', () => {
    fc.assert(
      fc.property(values, (value) => {
        const text = JSON.stringify(value);
        const maxBytes = bytesOf(text);
        for (const replacer of [undefined, (_key: string, each: unknown) => each]) {
          expect(encodeJson(value, { maxBytes, replacer })).toEqual({ ok: true, text });
          expect(encodeJson(value, { maxBytes: maxBytes - 1, replacer })).toMatchObject({ isTooLarge: true });
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('is exact for lists and objects of plain text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(fc.stringMatching(/^\w*$/), fc.stringMatching(/^\w*$/))),
        (value) => {
          const withoutEmpty = value.filter((each) => Object.keys(each).length > 0);
          fc.pre(withoutEmpty.length > 0);
          expect(leastJsonBytes(withoutEmpty, MB)).toBe(bytesOf(JSON.stringify(withoutEmpty)));
        },
      ),
    );
  });

  test.for<[string, (each: () => unknown) => unknown]>([
    ['in a list', (each) => list(400, each)],
    ['in objects', (each) => ({ a: { b: list(400, each) } })],
    ['with a toJSON among them', (each) => [new URL('http://localhost/'), list(400, each)]],
    ['given by a toJSON', (each) => ({ toJSON: () => list(400, each) })],
  ])('is found for texts %s before all of them have been read', ([, make]) => {
    let looks = 0;
    const value = make(() => {
      looks++;
      return 'あ'.repeat(MB);
    });
    expect(encodeJson(value, { maxBytes: 16 * MB })).toMatchObject({ ok: false, isTooLarge: true });
    // Sixteen texts exceed the limit. With a toJSON they may be counted twice.
    expect(looks).toBeLessThanOrEqual(2 * 17);
  });

  test.for<[string, () => unknown]>([
    ['a value that refers to others a thousandfold', () => thousandfold({ end: 1 })],
    ['a list of holes', () => new Array(2 ** 31)],
    ['a large view', () => new Uint8Array(64 * MB)],
    ['a large Buffer', () => Buffer.alloc(64 * MB)],
  ])('is found for %s', ([, make]) => {
    expect(encodeJson(make(), { maxBytes: 16 * MB })).toMatchObject({ ok: false, isTooLarge: true });
  });

  test('is left to JSON.stringify for a circular value', () => {
    const circular: { self?: unknown; other?: unknown } = {};
    circular.self = circular;
    circular.other = circular;
    const encoding = encodeJson(circular, { maxBytes: MB });
    expect(encoding.ok ? '' : encoding.reason).toContain('circular');
  });
});

/** A list whose elements are created at each access. */
function list(length: number, each: () => unknown): unknown[] {
  const elements: unknown[] = [];
  for (let i = 0; i < length; i++) Object.defineProperty(elements, i, { enumerable: true, get: each });
  return elements;
}

function thousandfold(end: unknown): unknown {
  let value = end;
  for (let i = 0; i < 60; i++) value = [value, value];
  return value;
}
