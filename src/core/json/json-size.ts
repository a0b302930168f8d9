/** Measures a value's JSON text before it is written. */

import { ignoreRejection, isA } from '../errors/thrown.ts';

/** Stored JSON is never nested deeper than this, so deeper levels need not be counted. */
const MAX_DEPTH = 500;

/** `unknown` for values with a `toJSON`, which may return anything. */
export type LeastSize = number | 'unknown';

/**
 * The least number of bytes that a value takes as JSON in UTF-8. Counting stops as soon as that
 * exceeds `maxBytes`, so a text that is repeated a million times is not measured a million times. It
 * calls only getters, which JSON.stringify calls again. JSON shows a promise as `{}`, so nobody hears of its rejection, which
 * may not end the process.
 */
export function leastJsonBytes(value: unknown, maxBytes: number): LeastSize {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 1;
  const count = new Count(maxBytes);
  count.add(value, 0);
  return count.isUnknown ? 'unknown' : count.bytes;
}

class Count {
  bytes = 0;
  isUnknown = false;
  /** Counting has stopped: the value is too large, or its size is unknown. */
  isOver = false;
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(value: object, depth: number): void {
    // A circular value has no end. JSON.stringify will say what is wrong with it.
    if (depth > MAX_DEPTH) this.isOver = true;
    else if (Array.isArray(value)) this.#addList(value, depth);
    else if (value instanceof Date) this.#grow(4);
    else if (value instanceof String) this.#grow(value.length + 2);
    else if (ArrayBuffer.isView(value)) this.#addView(value);
    else if (typeof (value as { toJSON?: unknown }).toJSON === 'function') this.#endUnknown();
    else if (value instanceof Promise) this.#addPromise(value);
    else this.#addObject(value as Record<string, unknown>, depth);
  }

  #addList(list: readonly unknown[], depth: number): void {
    if (typeof (list as { toJSON?: unknown }).toJSON === 'function') return this.#endUnknown();
    this.#grow(1);
    for (let i = 0; i < list.length && !this.isOver; i++) {
      this.#grow(1);
      this.#addMember(list[i], depth);
    }
  }

  #addObject(object: Record<string, unknown>, depth: number): void {
    this.#grow(1);
    for (const key of Object.keys(object)) {
      if (this.isOver) return;
      const value = object[key];
      if (value === undefined || typeof value === 'function' || typeof value === 'symbol') continue;
      this.#grow(key.length + 4);
      this.#addMember(value, depth);
    }
  }

  #addMember(value: unknown, depth: number): void {
    if (typeof value === 'string') this.#grow(value.length + 2);
    else if (typeof value === 'object' && value !== null) this.add(value, depth + 1);
    else this.#grow(1);
  }

  /** JSON shows the numbers by their index, `"0":0,`. A Buffer is shown as a list. */
  #addView(view: ArrayBufferView): void {
    if ('length' in view && typeof view.length === 'number') this.#grow(2 * view.length);
    if (!this.isOver) this.#endUnknown();
  }

  #addPromise(promise: Promise<unknown>): void {
    ignoreRejection(promise);
    this.#grow(2);
  }

  #grow(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.#maxBytes) this.isOver = true;
  }

  #endUnknown(): void {
    this.isUnknown = true;
    this.isOver = true;
  }
}

/**
 * If the error is a {@link TooLargeJson}, the least number of bytes that would have been written.
 * The error comes from user code, so it may be a proxy.
 */
export function tooLargeBytes(error: unknown): number | undefined {
  try {
    return error instanceof TooLargeJson ? error.bytes : undefined;
  } catch {
    return undefined;
  }
}

/** The JSON text would be larger than allowed. */
export class TooLargeJson extends Error {
  /** The least number of bytes it would have had. */
  readonly bytes: number;

  constructor(bytes: number) {
    super(`at least ${bytes} bytes of JSON`);
    this.bytes = bytes;
  }
}

/** A replacer for `JSON.stringify`. Its `this` is the object that holds the value. */
export type JsonReplacer = (this: unknown, key: string, value: unknown) => unknown;

/**
 * A replacer that counts what `JSON.stringify` is about to write and throws {@link TooLargeJson}
 * above `maxBytes`. It is slower than {@link leastJsonBytes}, but also counts what a `toJSON`
 * returned.
 */
export function boundedReplacer(maxBytes: number, replacer?: JsonReplacer): JsonReplacer {
  // JSON.stringify treats the whole value as the member '' of an object. The four characters around it are
  // not written.
  let bytes = -4;
  return function (key, given) {
    const value = replacer === undefined ? given : replacer.call(this, key, given);
    if (isA(value, Promise)) ignoreRejection(value);
    const isInList = Array.isArray(this);
    if (isInList) bytes += 1;
    else if (value === undefined || typeof value === 'function' || typeof value === 'symbol') return value;
    else bytes += key.length + 4;
    bytes += typeof value === 'string' ? value.length + 2 : 1;
    if (bytes > maxBytes) throw new TooLargeJson(bytes);
    return value;
  };
}
