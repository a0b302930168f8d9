/** How many bytes of values are read and passed on at a time. A single value may be larger. */
export const PORTION_BYTES = 1024 * 1024;

/**
 * How many of the first items make a portion. Their sizes fit into `maxBytes` together; a portion
 * has at least one item.
 */
export function portionLength<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  maxBytes: number = PORTION_BYTES,
): number {
  let bytes = 0;
  let length = 0;
  for (const item of items) {
    bytes += bytesOf(item);
    if (length > 0 && bytes > maxBytes) return length;
    length++;
  }
  return length;
}

/**
 * Collects all items of a list that comes in portions. `toItem` converts each item when its portion
 * arrives.
 */
export async function collect<T, U>(
  portions: AsyncIterable<readonly T[]>,
  toItem: (each: T) => U,
): Promise<U[]> {
  const all: U[] = [];
  for await (const portion of portions) for (const each of portion) all.push(toItem(each));
  return all;
}
