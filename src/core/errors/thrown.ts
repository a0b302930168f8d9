/**
 * Reads thrown values safely. Any value can be thrown: a getter may throw, and a list may have
 * methods of its own.
 */

/** An object's field. Undefined if reading it throws. Nobody awaits it, so a promise may reject. */
export function readField(object: object, key: string): unknown {
  try {
    const value = (object as Record<string, unknown>)[key];
    if (isA(value, Promise)) ignoreRejection(value);
    return value;
  } catch {
    return undefined;
  }
}

const ignore = () => undefined;

/**
 * Takes the rejection of a promise, or of a similar object, that nobody awaits: it would end the process. Never throws.
 *
 * @returns whether the value is one.
 */
export function ignoreRejection(value: unknown): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  try {
    if (isA(value, Promise)) {
      // The object's own `then` may be anything.
      Promise.prototype.then.call(value, ignore, ignore);
      return true;
    }
    const { then } = value as { readonly then?: unknown };
    if (typeof then !== 'function') return false;
    const answer: unknown = Reflect.apply(then, value, [ignore, ignore]);
    if (answer !== value && isA(answer, Promise)) Promise.prototype.then.call(answer, ignore, ignore);
    return true;
  } catch {
    return false;
  }
}

/** Whether a value is an error, also one from another realm, such as a test runner's. */
export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
  } catch {
    return false;
  }
}

/** `instanceof` for values that may throw when they are inspected. */
export function isA<T>(value: unknown, kind: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof kind;
  } catch {
    return false;
  }
}

/** Whether a value is an array. False for a revoked proxy, where asking throws. */
export function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/**
 * The first items of a list as a plain array, and how many more there are. An item
 * that can't be read is undefined. No method of the list is called.
 */
export function firstItems(list: object, atMost: number): { items: unknown[]; more: number } {
  const length = readField(list, 'length');
  const total = typeof length === 'number' && length > 0 ? length : 0;
  const items = Array.from({ length: Math.min(total, atMost) }, (_, i) => readField(list, String(i)));
  return { items, more: Math.max(0, total - atMost) };
}
