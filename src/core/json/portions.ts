/** How many bytes of values are read and passed on at a time; a single value may be larger. */
export const PORTION_BYTES = 1024 * 1024;

/**
 * How many of the first items make a portion: those whose sizes fit together
 * into `maxBytes`, and at least one.
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

/** All items of a list that comes in portions, each made into what `toItem` answers as its portion comes. */
export async function collect<T, U>(
  portions: AsyncIterable<readonly T[]>,
  toItem: (each: T) => U,
): Promise<U[]> {
  const all: U[] = [];
  for await (const portion of portions) for (const each of portion) all.push(toItem(each));
  return all;
}
