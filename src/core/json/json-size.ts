/** How large a value's JSON text would be, found out before it is written. */

/** Every JSON text that is stored nests less deep than this: further down nothing needs counting. */
const MAX_DEPTH = 500;

/** What a value answers that can't be counted from outside: a `toJSON` may give anything. */
export type LeastSize = number | 'unknown';

/**
 * The least that a value takes as JSON text in UTF-8. It gives up as soon as that is
 * more than `maxBytes`, so a text that is repeated a million times is not looked at a
 * million times. It calls nothing but getters, which JSON.stringify calls again.
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
  /** No need to look further. */
  isOver = false;
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(value: object, depth: number): void {
    // One that refers to itself has no end: JSON.stringify says what is wrong with it.
    if (depth > MAX_DEPTH) this.isOver = true;
    else if (Array.isArray(value)) this.#addList(value, depth);
    else if (value instanceof Date) this.#grow(4);
    else if (value instanceof String) this.#grow(value.length + 2);
    else if (ArrayBuffer.isView(value)) this.#addView(value);
    else if (typeof (value as { toJSON?: unknown }).toJSON === 'function') this.#endUnknown();
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

  /** Numbers by their index, `"0":0,`; a Buffer is a list of them. */
  #addView(view: ArrayBufferView): void {
    if ('length' in view && typeof view.length === 'number') this.#grow(2 * view.length);
    if (!this.isOver) this.#endUnknown();
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

/** How many bytes at least were to be written, if that is why it was thrown. What a user's code throws may be a proxy. */
export function tooLargeBytes(error: unknown): number | undefined {
  try {
    return error instanceof TooLargeJson ? error.bytes : undefined;
  } catch {
    return undefined;
  }
}

/** More was to be written than may be. */
export class TooLargeJson extends Error {
  /** At least so many. */
  readonly bytes: number;

  constructor(bytes: number) {
    super(`at least ${bytes} bytes of JSON`);
    this.bytes = bytes;
  }
}

/** What `JSON.stringify` may be given to put other values in the place of some; `this` holds the value. */
export type JsonReplacer = (this: unknown, key: string, value: unknown) => unknown;

/**
 * Counts what `JSON.stringify` is about to write, after a replacer if there is one, and
 * makes it throw {@link TooLargeJson} once that is more than `maxBytes`. Slower than
 * {@link leastJsonBytes}, but it sees what a `toJSON` gave.
 */
export function boundedReplacer(maxBytes: number, replacer?: JsonReplacer): JsonReplacer {
  // The value as a whole is the member '' of an object, whose four characters are not written.
  let bytes = -4;
  return function (key, given) {
    const value = replacer === undefined ? given : replacer.call(this, key, given);
    const isInList = Array.isArray(this);
    if (isInList) bytes += 1;
    else if (value === undefined || typeof value === 'function' || typeof value === 'symbol') return value;
    else bytes += key.length + 4;
    bytes += typeof value === 'string' ? value.length + 2 : 1;
    if (bytes > maxBytes) throw new TooLargeJson(bytes);
    return value;
  };
}
