/**
 * The only place that writes and reads stored JSON. It decides what is refused and what a value
 * reads back as.
 */

import { dropPromises } from '../errors/dropped.ts';
import { errorMessage } from '../errors/error-text.ts';
import {
  boundedReplacer,
  type JsonReplacer,
  leastJsonBytes,
  TooLargeJson,
  tooLargeBytes,
} from './json-size.ts';
import { nestsDeeperThan } from './nesting.ts';
import { isRedacted, REDACTED } from './redacted.ts';
import { isSealed, UNREADABLE } from './sealed.ts';

export { isStorableText, storableText } from '../text.ts';

/** Deeper JSON is refused. SQLite's own limit is 1,000, and a group of writes adds some levels. */
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

/** In a list, JSON writes null for values that it cannot express. */
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
  /** `cause` is the value that was thrown. */
  | {
      readonly ok: false;
      readonly reason: string;
      readonly cause?: unknown;
      readonly isTooLarge?: true;
    };

export interface EncodeOptions {
  /** A text with more bytes of UTF-8 is refused. */
  readonly maxBytes?: number | undefined;
  readonly replacer?: JsonReplacer | undefined;
}

/** JSON text of a value; `text` is undefined for undefined. Never throws. Takes the rejections of promises in the value. */
export function encodeJson(value: unknown, options: EncodeOptions = {}): JsonEncoding {
  const encoding = encode(value, options);
  if (!encoding.ok) dropPromises(value);
  return encoding;
}

function encode(
  value: unknown,
  { maxBytes = Number.POSITIVE_INFINITY, replacer }: EncodeOptions,
): JsonEncoding {
  if (typeof value === 'function' || typeof value === 'symbol') {
    return { ok: false, reason: `a ${typeof value} is not JSON` };
  }
  try {
    const text = writeJson(value, { maxBytes, replacer });
    const bytes = text === undefined ? 0 : bytesBeyond(text, maxBytes);
    if (bytes > 0) return tooLarge(bytes, maxBytes);
    if (text !== undefined && isTooDeep(text)) {
      return { ok: false, reason: `nested deeper than ${MAX_JSON_DEPTH} levels` };
    }
    return { ok: true, text };
  } catch (error) {
    const bytes = tooLargeBytes(error);
    if (bytes !== undefined) return tooLarge(bytes, maxBytes);
    return { ok: false, reason: failureReason(error, value), cause: error };
  }
}

/** Writes the text unless it would be far too large. @throws {TooLargeJson} before the text is written */
function writeJson(
  value: unknown,
  { maxBytes, replacer }: { readonly maxBytes: number; readonly replacer: JsonReplacer | undefined },
): string | undefined {
  if (maxBytes === Number.POSITIVE_INFINITY) return JSON.stringify(value, replacer);
  if (replacer !== undefined) return JSON.stringify(value, boundedReplacer(maxBytes, replacer));
  const least = leastJsonBytes(value, maxBytes);
  if (least === 'unknown') return JSON.stringify(value, boundedReplacer(maxBytes));
  if (least > maxBytes) throw new TooLargeJson(least);
  return JSON.stringify(value);
}

function tooLarge(bytes: number, maxBytes: number): JsonEncoding {
  return {
    ok: false,
    reason: `at least ${bytes} bytes of JSON, where ${maxBytes} are stored at most`,
    isTooLarge: true,
  };
}

/** The size of a text in UTF-8 if it exceeds `maxBytes`, counted only as far as needed. Otherwise 0. */
function bytesBeyond(text: string, maxBytes: number): number {
  // A UTF-16 unit takes one to three bytes.
  if (text.length * 3 <= maxBytes) return 0;
  if (text.length > maxBytes) return text.length;
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    // Each half of a surrogate pair counts two of the pair's four bytes.
    else bytes += unit >= 0xd800 && unit < 0xe000 ? 2 : 3;
  }
  return bytes > maxBytes ? bytes : 0;
}

/**
 * Says why `JSON.stringify` threw. The engine throws a RangeError both when the stack ends and when
 * a string grows too long, and a `toJSON` may throw its own. Only the value itself shows whether it
 * is nested too deeply.
 */
function failureReason(error: unknown, value: unknown): string {
  if (isRangeError(error) && nestsDeeperThan(MAX_JSON_DEPTH, value)) {
    return `nested deeper than ${MAX_JSON_DEPTH} levels`;
  }
  const reason = errorMessage(error);
  return isRangeError(error) && reason === STRING_TOO_LONG ? 'longer than a string can be' : reason;
}

/** V8's message is the only mark of this error. There is no code. */
const STRING_TOO_LONG = 'Invalid string length';

/** User code may throw anything. A proxy may even throw when it is inspected. */
export function isRangeError(error: unknown): boolean {
  try {
    return error instanceof RangeError;
  } catch {
    return false;
  }
}

/** Reads JSON text that this system stored. A sealed one reads as {@link UNREADABLE}, a redacted one as {@link REDACTED}. */
export function decodeJson(text: string | null): unknown {
  if (text === null) return undefined;
  if (isSealed(text)) return UNREADABLE;
  return isRedacted(text) ? REDACTED : JSON.parse(text);
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

/** The closing quote of a string in JSON text. @param start its opening quote */
export function endOfString(text: string, start: number): number {
  for (let i = text.indexOf('"', start + 1); i >= 0; i = text.indexOf('"', i + 1)) {
    let before = i - 1;
    while (text.charCodeAt(before) === 0x5c) before--;
    // After an even number of backslashes the quote is not escaped.
    if ((i - before) % 2 === 1) return i;
  }
  return text.length;
}
