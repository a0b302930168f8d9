/** The only door to JSON: what is stored, what is refused, and what it reads back as. */

import { errorMessage } from './errors.ts';

/** JSON nested deeper than this is refused: SQLite's own limit is 1,000, less the wrapping a group adds. */
export const MAX_JSON_DEPTH = 500;

/**
 * The type of a value once it has been through `JSON.stringify` and back:
 * a Date is a string, undefined properties and functions are gone.
 */
export type Jsonified<T> = unknown extends T
  ? T
  : T extends { toJSON(): infer U }
    ? Jsonified<U>
    : T extends string | number | boolean | null | undefined
      ? T
      : T extends bigint | symbol | ((...args: never[]) => unknown)
        ? never
        : T extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
          ? Record<string, never>
          : T extends readonly unknown[]
            ? { [K in keyof T]: JsonElement<T[K]> }
            : T extends object
              ? { [K in keyof T as JsonKey<T, K>]: Jsonified<T[K]> }
              : never;

/** What JSON has no value for is null in a list. */
type JsonElement<T> = unknown extends T
  ? T
  : T extends undefined | symbol | ((...args: never[]) => unknown)
    ? null
    : Jsonified<T>;

type JsonKey<T, K extends keyof T> = K extends symbol
  ? never
  : T[K] extends symbol | ((...args: never[]) => unknown)
    ? never
    : K;

export type JsonEncoding =
  | { readonly ok: true; readonly text: string | undefined }
  | { readonly ok: false; readonly reason: string };

/** JSON text of a value; `text` is undefined for undefined. Never throws. */
export function encodeJson(value: unknown): JsonEncoding {
  if (typeof value === 'function' || typeof value === 'symbol') {
    return { ok: false, reason: `a ${typeof value} is not JSON` };
  }
  try {
    const text: string | undefined = JSON.stringify(value);
    if (text !== undefined && isTooDeep(text)) {
      return { ok: false, reason: `nested deeper than ${MAX_JSON_DEPTH} levels` };
    }
    return { ok: true, text };
  } catch (error) {
    if (isRangeError(error)) {
      return { ok: false, reason: `nested deeper than ${MAX_JSON_DEPTH} levels` };
    }
    return { ok: false, reason: errorMessage(error) };
  }
}

/** What a `toJSON` throws may be anything: a proxy may throw at being asked what it is. */
function isRangeError(error: unknown): boolean {
  try {
    return error instanceof RangeError;
  } catch {
    return false;
  }
}

/** Reads JSON text that this system stored. */
export function decodeJson(text: string | null): unknown {
  return text === null ? undefined : JSON.parse(text);
}

/** Whether JSON text nests arrays and objects more than `maxDepth` deep. */
export function isTooDeep(text: string, maxDepth = MAX_JSON_DEPTH): boolean {
  // Each level takes an opening and a closing character.
  if (text.length < 2 * (maxDepth + 1)) return false;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: // a string: skip to its closing quote
        i = endOfString(text, i);
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > maxDepth) return true;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
    }
  }
  return false;
}

function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x5c) i++;
    else if (code === 0x22) return i;
  }
  return text.length;
}

/**
 * Text that SQL can hold whole: lone surrogates (which abort libSQL's process
 * when a JSON function meets them) and NULs (which cut a text short when it is
 * read back) become U+FFFD.
 */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

/** As a JSON Schema says that a text holds no NUL; each language's regular expressions know it. */
export const WITHOUT_NUL = '^[^\\x00]*$';

/** Whether {@link storableText} would leave the text as it is. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}
